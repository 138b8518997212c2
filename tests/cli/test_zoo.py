import json
from collections.abc import Callable

from tests.conftest import Ran

Run = Callable[..., Ran]


def test_the_list_is_a_table_or_a_document(ferdata: Run) -> None:
    ran = ferdata("zoo", "list")
    assert ran.code == 0, ran
    assert "deep_emotion" in ran.out
    assert "66,877" in ran.out
    found = json.loads(ferdata("zoo", "list", "googlenet", "--json").out)
    assert [entry["name"] for entry in found] == ["googlenet"]
    assert found[0]["counted"]["parameters"] == 5_607_079


def test_show_gives_figures_with_their_protocol(ferdata: Run) -> None:
    ran = ferdata("zoo", "show", "vgg13_ferplus")
    assert ran.code == 0, ran
    for words in (
        "8,757,704 with 8 classes",
        "64 px, 1 channel; the smallest that works: 16 px",
        "84.99 %",
        "majority",
    ):
        assert words in ran.out
    found = json.loads(ferdata("zoo", "show", "khaireddin_vgg", "--json").out)
    assert found["parameters"] == 29_890_759
    assert "PrivateTest, the very images it reports" in found["published"][0]["protocol"]


def test_show_at_a_size_says_what_is_left_of_the_last_map(ferdata: Run) -> None:
    words = " ".join(ferdata("zoo", "show", "resnet18", "--size", "48").out.split())
    assert "last map 2 x 2 at 48 px: too few places" in words
    assert "made for 224 px" in words
    assert "last map 3 x 3 parameters" in " ".join(ferdata("zoo", "show", "resnet_fer").out.split())
    ran = ferdata("zoo", "show", "alexnet", "--size", "48")
    assert (ran.code, ran.out) == (1, "")
    assert "--size 63" in ran.err


def test_layers_are_a_table_that_ends_with_the_nets_parameters(ferdata: Run) -> None:
    lines = [line.split() for line in ferdata("zoo", "show", "resnet18", "--layers").out.splitlines() if line]
    at = lines.index(["layer1.0", "BasicBlock", "64", "x", "56", "x", "56", "(73,984)"])
    assert lines[at + 1] == ["conv1", "Conv2d", "3x3", "64", "x", "56", "x", "56", "36,864"]
    assert ["total", "11,180,103"] in lines
    found = json.loads(ferdata("zoo", "show", "lenet5", "--layers", "--size", "64", "--json").out)
    assert found["size"] == 64
    assert found["parameters"] == sum(layer["parameters"] for layer in found["layers"])
    assert found["layers"][0]["output"] == [6, 60, 60]


def test_inception_v2_is_answered_with_why_there_is_none(ferdata: Run) -> None:
    for name in ("inception_v2", "Inception-V2"):
        ran = ferdata("train", "--manifest", "m.parquet", "--backbone", name)
        assert (ran.code, ran.out) == (1, "")
        assert "step from V1 to V3" in ran.err
        assert "--backbone inception_v3" in ran.err


def test_both_alexnets_say_which_they_are(ferdata: Run) -> None:
    lines = {line.split()[0]: line for line in ferdata("zoo", "list", "alexnet").out.splitlines() if line}
    assert "2012" in lines["alexnet_2012"]
    assert "2014" in lines["alexnet"]
    assert "alexnet_2012" in ferdata("zoo", "show", "alexnet").out


def test_a_misspelt_name_is_answered_with_close_ones(ferdata: Run) -> None:
    ran = ferdata("zoo", "show", "deep_emotions")
    assert (ran.code, ran.out) == (1, "")
    assert "deep_emotion" in ran.err


def test_a_recipe_is_no_backbone_and_who_shows_it_is_said(ferdata: Run) -> None:
    for line in (("zoo", "show", "auto-fernet"), ("train", "--manifest", "m.parquet", "--backbone", "auto-fernet")):
        ran = ferdata(*line)
        assert (ran.code, ran.out) == (1, "")
        assert "auto-fernet is a recipe, and no backbone." in ran.err
    assert "--recipe auto-fernet" in ran.err
    assert "ferdata zoo recipes auto-fernet" in ran.err


def test_the_list_of_timms_nets_has_their_parameters(ferdata: Run) -> None:
    lines = {line.split()[0]: line.split() for line in ferdata("zoo", "list", "resnet18*").out.splitlines() if line}
    assert lines["resnet18"][-3:] == ["yes", "224", "11,180,103"]


def test_every_recipe_is_listed_with_its_backbone(ferdata: Run) -> None:
    from zoo.options import recipes

    found = json.loads(ferdata("zoo", "recipes", "--json").out)
    assert [r["name"] for r in found] == list(recipes.names())
    ran = ferdata("zoo", "recipes")
    assert all(name in ran.out for name in recipes.names())


def test_a_recipe_by_name_says_all_that_it_does_otherwise(ferdata: Run) -> None:
    from zoo.options import recipes

    ran = ferdata("zoo", "recipes", "khaireddin")
    assert ran.code == 0, ran
    loaded = recipes.load("khaireddin")
    assert all(
        words in ran.out for words in (*loaded.changed, loaded.about["published"], loaded.about["note"], "lr = 0.01")
    )
    found = json.loads(ferdata("zoo", "recipes", "khaireddin", "--json").out)
    assert found["changed"] == list(loaded.changed)
    assert found["options"] == loaded.options
    listed = json.loads(ferdata("zoo", "recipes", "--json").out)
    assert found in listed
    assert ferdata("zoo", "recipes", "khairedin").code == 1


def test_the_commands_are_told_apart_in_whole_sentences(ferdata: Run) -> None:
    assert "..." not in ferdata("zoo", "--help").out.split("Commands:")[1]


def test_each_command_has_help_with_an_example(ferdata: Run) -> None:
    for name in ("list", "show", "recipes"):
        ran = ferdata("zoo", name, "--help")
        assert ran.code == 0
        assert f"ferdata zoo {name}" in ran.out.split("\n\n", 1)[1]
