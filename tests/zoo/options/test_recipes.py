"""Recipes as data: what is read, what is refused, and that the page of them is theirs."""

import re
import runpy
import tomllib
from dataclasses import fields, replace
from pathlib import Path

import pytest
import timm
import torch
from hatchling.builders.wheel import WheelBuilder

from ferdata.errors import BadOption
from ferdata.labels import POLICIES
from tests.conftest import REPOSITORY
from zoo.augment.policies import policy
from zoo.models.build import backbone
from zoo.options import recipes
from zoo.options.options import KEYS, TrainConfig
from zoo.training import optimizer

NAMES = recipes.names()
# Every system that the project set out to have.
SYSTEMS = {
    *("default", "chorko", "amrkld", "an-sunghyun", "notes-b3", "hsemotion", "efficientnet-xgboost", "inception-v3"),
    *("resnet50", "vgg19", "squeezenet-fer", "auto-fernet", "deep-emotion", "emotionnet2", "fernet"),
    *("vgg16-transfer", "vgg19-transfer", "lenet3-sequential", "lenet3-functional", "lenet3-subclassed"),
    *("khaireddin", "lethesec", *(f"ferplus-vgg13-{how.replace('_', '-')}" for how in POLICIES)),
}


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_every_system_has_its_recipe_and_the_default_comes_first():
    assert set(NAMES) == SYSTEMS
    assert NAMES[0] == "default"


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_says_where_it_is_from_and_what_it_changes(name):
    loaded = recipes.load(name)
    assert set(loaded.about) == set(recipes.ABOUT)
    assert isinstance(loaded.about["changed"], list)
    assert loaded.about["changed"] or name == "default"
    assert all(isinstance(loaded.about[key], str) and loaded.about[key] for key in recipes.ABOUT if key != "changed")


def test_exactly_the_recipes_with_weight_decay_say_what_it_leaves_out():
    loaded = [recipes.load(name) for name in NAMES]
    say = {r.name for r in loaded if any("dimension" in change and "weight decay" in change for change in r.changed)}
    assert say == {r.name for r in loaded if r.options.get("weight_decay", 0) > 0}
    assert {"vgg19", "khaireddin", "resnet50"} <= say
    assert "lenet3-sequential" not in say


def test_exactly_the_recipes_from_scratch_say_how_pixels_are_normalised():
    loaded = [recipes.load(name) for name in NAMES if name != "default"]
    say = {r.name for r in loaded if any("normalised by the mean" in c for c in r.changed)}
    assert say == {r.name for r in loaded if not r.options.get("pretrained", False)}


def test_a_files_own_words_on_what_it_does_otherwise_come_first(tmp_path):
    path = written(tmp_path / "a.toml", '[about]\nchanged = ["it is mine"]\n[options]\nweight_decay = 0.1\n')
    assert recipes.load(path).changed == ("it is mine", recipes.NO_DECAY)
    assert recipes.load(written(tmp_path / "b.toml", "[options]\nweight_decay = 0.0\n")).changed == ()


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_names_only_what_there_is(name):
    options = recipes.load(name).options
    config = TrainConfig(**options)
    card = backbone(config.backbone, config.pretrained)
    policy(config.augment)
    assert (config.optimizer or card.optimizer) in optimizer.names()
    assert config.lr is not None or name == "default"
    assert not set(options) & {"manifest", "device", "allow_leak", "trust_files", "seed", "datasets", "fold", "init"}


def test_the_four_targets_differ_in_their_targets_alone():
    loaded = [recipes.load(f"ferplus-vgg13-{how}") for how in POLICIES]
    assert [r.options["targets"] for r in loaded] == list(POLICIES)
    rest = [{k: v for k, v in r.options.items() if k != "targets"} for r in loaded]
    assert all(r == rest[0] for r in rest)


def test_the_course_writes_one_lenet_in_two_styles_and_another_in_the_third():
    sequential, functional, subclassed = (
        recipes.load(f"lenet3-{style}").options for style in ("sequential", "functional", "subclassed")
    )
    assert sequential == functional
    differ = {key for key in subclassed if subclassed[key] != sequential.get(key)}
    assert differ == {"backbone", "dropout", "weight_decay"}
    assert (subclassed["backbone"], subclassed["dropout"]) == ("lenet_bn128", 0.2)


def test_the_subclassed_lenets_decay_is_keras_l2_of_1e_4():
    layer = torch.nn.Linear(3, 2)
    options = TrainConfig(**recipes.load("lenet3-subclassed").options)
    adam = optimizer.build(layer, [["weight", "bias"]], replace(options, lr=0.1, device="cpu"))
    keras = torch.nn.Linear(3, 2)
    keras.load_state_dict(layer.state_dict())
    plain = torch.optim.Adam(keras.parameters(), lr=0.1)
    for _ in range(20):
        for net, steps in ((layer, adam), (keras, plain)):
            loss = net(torch.ones(1, 3)).square().sum() * 1e-4
            if net is keras:
                loss = loss + 1e-4 * net.weight.square().sum()
            steps.zero_grad()
            loss.backward()
            steps.step()
    torch.testing.assert_close(layer.weight, keras.weight)
    torch.testing.assert_close(layer.bias, keras.bias)


@pytest.mark.parametrize("depth", [16, 19])
def test_a_vgg_by_transfer_has_the_options_of_the_table_that_resnet50_is_from_and_the_papers_dropout(depth):
    wanted = {**recipes.load("resnet50").options, "backbone": f"vgg{depth}.tv_in1k", "dropout": 0.5}
    options = recipes.load(f"vgg{depth}-transfer").options
    assert options == wanted
    with torch.device("meta"):
        net = timm.create_model(options["backbone"], pretrained=False, drop_rate=options["dropout"])
    assert (net.pre_logits.drop.p, net.head.drop.p) == (0.5, 0.5)


def test_what_the_default_leaves_open_is_the_backbones_own():
    options = recipes.load("default").options
    assert not {"lr", "weight_decay", "optimizer", "size", "epochs"} & set(options)
    assert {k: v for k, v in options.items() if getattr(TrainConfig(), k) != v} == {}


def test_an_option_that_there_is_not_is_refused_with_those_that_are_close(tmp_path):
    path = written(tmp_path / "mine.toml", "[options]\nweight_decya = 0.1\n")
    with pytest.raises(BadOption, match="weight_decya") as error:
        recipes.load(path)
    assert "Did you mean weight_decay" in error.value.hint
    assert "mine.toml" in error.value.message


@pytest.mark.parametrize(("name", "close"), [("khairedin", "khaireddin"), ("ferplus-vgg13", "ferplus-vgg13-majority")])
def test_a_recipe_that_there_is_not_is_refused_with_those_that_are_close(name, close):
    with pytest.raises(BadOption) as error:
        recipes.load(name)
    assert close in error.value.hint.partition("All:")[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[options]\nlr = -1\n", "above 0"),
        ('[options]\nlr = "fast"\n', "not a number"),
        ("[options]\nlr = nan\n", "not a number"),
        ("[options]\nbatch = true\n", "not a whole number"),
        ("[options]\nbatch = 12.5\n", "not a whole number"),
        ("[options]\ncompile = 1\n", "not true or false"),
        ("[options]\nbackbone = 3\n", "not a name"),
        ("[options]\nhead_widths = [1, 2.5]\n", "not a list of whole numbers"),
        ('[options]\ntargets = "fuzzy"\n', "majority"),
        ("lr = 1\n", "it has unknown tables lr"),
        ("[about]\ntitle = 'x'\n", "no [options]"),
        ("[options]\n[about]\nauthor = 'x'\n", "author"),
        ("[options]\n[hooks]\nrun = 'rm'\n", "it has unknown tables hooks"),
        ("[options\n", "not valid TOML"),
        ("[options]\nx = " + "[" * 40_000, "not valid TOML"),
        ("#" * 200_000, "more than"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused_with_the_reason(tmp_path, text, words):
    with pytest.raises(BadOption) as error:
        recipes.load(written(tmp_path / "bad.toml", text))
    assert words in str(error.value)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_a_recipe_is_read_as_windows_saves_it(tmp_path, encoding):
    (tmp_path / "mine.toml").write_bytes('[about]\r\ntitle = "Übung"\r\n[options]\r\n'.encode(encoding))
    assert recipes.load(tmp_path / "mine.toml").about["title"] == "Übung"


def test_bytes_that_are_no_text_and_files_that_are_not_there_are_refused(tmp_path):
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "bad.toml", tmp_path / "none.toml", tmp_path):
        with pytest.raises(BadOption):
            recipes.load(path)


def test_a_name_leads_nowhere_but_to_the_recipes(tmp_path, monkeypatch):
    written(tmp_path / "evil.toml", "[options]\n")
    monkeypatch.chdir(tmp_path)
    for name in ("evil", "../recipes/default", "", "."):
        with pytest.raises(BadOption):
            recipes.load(name)


def test_what_is_permitted_no_file_can_say(tmp_path):
    with pytest.raises(BadOption, match="allow_leak") as error:
        recipes.load(written(tmp_path / "a.toml", "[options]\nallow_leak = true\n"))
    assert "--allow-leak" in error.value.hint
    assert recipes.load(written(tmp_path / "b.toml", "[options]\nallow_leak = false\n")).options == {}


def test_a_runs_config_trains_the_same_again_on_the_machine_at_hand(tmp_path):
    config = replace(
        TrainConfig(),
        manifest="m.parquet",
        lr=0.05,
        head_widths=(8, 4),
        head="mlp",
        device="cuda",
        precision="bf16-mixed",
    )
    written(tmp_path / "config.toml", config.toml())
    for name in (tmp_path / "config.toml", tmp_path):
        again = TrainConfig(**recipes.load(name).options)
        assert again == replace(config, manifest="", device="auto", precision="auto")


def test_set_gives_each_option_its_own_kind():
    given = ["lr=1e-3", "epochs=5", "head-widths=512, 256", "compile=yes", "size=none", "tta=none", "datasets=a,b"]
    assert recipes.parse_set(given) == {
        **{"lr": 1e-3, "epochs": 5, "head_widths": (512, 256), "compile": True, "size": None, "tta": "none"},
        "datasets": ("a", "b"),
    }
    assert recipes.parse_set(["lr=1", "lr=2"]) == {"lr": 2.0}


def test_set_takes_pythons_own_values_too():
    assert recipes.parse_set({"lr": 1, "head_widths": [8], "size": None, "weights": Path("a") / "b"}) == {
        **{"lr": 1.0, "head_widths": (8,), "size": None},
        "weights": str(Path("a") / "b"),
    }


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("lrr=1", "Did you mean lr"),
        ("lr=quick", "1e-3"),
        ("batch=1.5", "whole number"),
        ("compile=maybe", "true or false"),
        ("head_dropout=a,b", "0.25,0.5"),
        ("lr", "KEY=VALUE"),
        ("manifest=x", "--manifest"),
        ("batch=none", "whole number"),
    ],
)
def test_set_refuses_what_cannot_be_and_says_what_can(given, words):
    with pytest.raises(BadOption) as error:
        recipes.parse_set([given])
    assert words in str(error.value)


def test_every_option_can_be_set():
    examples = {"str": "word", "int": "3", "float": "0.5", "bool": "true"}
    for field in fields(TrainConfig):
        if field.name == "manifest":
            continue
        kind = next(k for k in ("bool", "int", "float", "str") if k in str(field.type))
        assert field.name in recipes.parse_set([f"{field.name}={examples[kind]}"])
    assert set(recipes.TYPES) == set(KEYS)


def test_the_page_of_recipes_is_theirs_both_ways():
    made = runpy.run_path(str(REPOSITORY / "docs" / "make_recipes.py"))
    text = (REPOSITORY / "docs" / "recipes.md").read_text(encoding="utf-8")
    assert text == made["page"](), "python docs/make_recipes.py"
    assert tuple(re.findall(r"^\| \[`([a-z0-9-]+)`\]", text, re.MULTILINE)) == NAMES
    assert all(f"- **Note**: {recipes.load(name).about['note']}." in text for name in NAMES)


def test_the_pages_example_of_a_recipe_is_one(tmp_path):
    text = (REPOSITORY / "docs" / "recipes.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    loaded = recipes.load(written(tmp_path / "mine.toml", example))
    assert loaded.options == tomllib.loads(example)["options"]


def test_the_wheel_carries_every_recipe():
    builder = WheelBuilder(str(REPOSITORY))
    inside = {file.distribution_path for file in builder.recurse_included_files()}
    assert {f"zoo/recipes/{name}.toml" for name in NAMES} <= inside
