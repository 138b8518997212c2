"""Augmentation of one's own: a file of ranges, single ranges over any policy, and what of either cannot be."""

from typing import get_type_hints

import pytest

from ferdata.errors import BadOption
from zoo.augment import own_ranges
from zoo.augment.policies import OWN, POLICIES, RANGES, Policy
from zoo.options.options import TrainConfig
from zoo.options.recipes import parse_set
from zoo.training import resolve


@pytest.fixture
def mine(tmp_path):
    def write(text, name="mine.toml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def chosen(*options, recipe="default", before=None, **named):
    return own_ranges.of_run(resolve.merge("m", recipe, options, named, before))


def test_every_range_of_a_policy_is_an_option_of_its_kind():
    hints, options = get_type_hints(Policy), get_type_hints(TrainConfig)
    kinds = {name: tuple[float, ...] if hints[name] is not float else float for name in RANGES}
    assert {name: options[name] for name in RANGES} == {name: kind | None for name, kind in kinds.items()}
    assert all(getattr(TrainConfig(), name) is None for name in RANGES)


def test_a_file_is_a_policy_with_what_it_says_and_nothing_else(mine):
    path = mine('about = "for my thesis"\nflip = 0.5\nrotation = 20\nscale = [0.9, 1.1]\nerase = 0.2\n')
    assert chosen(augment=path) == Policy(flip=0.5, rotation=20, scale=(0.9, 1.1), erase=0.2)
    assert own_ranges.look_up(path).about == "for my thesis"


def test_ranges_take_the_place_of_any_policys_own(mine):
    assert chosen("rotation=20", augment="light") == Policy(flip=0.5, rotation=20, shift=0.04, scale=(0.95, 1.05))
    assert chosen("rotation=20,zoom=0.15", augment=OWN) == Policy(rotation=20, scale=(0.85, 1.15))
    assert chosen("rotation=5", augment=mine("flip = 0.5\nrotation = 20")) == Policy(flip=0.5, rotation=5)
    assert chosen() == POLICIES["standard"]


@pytest.mark.parametrize("given", ["zoom=0.15", "zoom=0.85,1.15", "scale=0.85,1.15"])
def test_keras_zoom_is_a_scale(mine, given):
    key, _, value = given.partition("=")
    text = f"{key} = [{value}]" if "," in value else f"{key} = {value}"
    assert parse_set([given]) == {"scale": (0.85, 1.15)}
    assert chosen(augment=mine(text)).scale == (0.85, 1.15)


def test_several_options_in_one_set_are_told_from_the_commas_of_a_list():
    given = ["rotation=20,zoom=0.15", "head_widths=512,256, lr=1e-3", "datasets=a,b"]
    assert parse_set(given) == {
        **{"rotation": 20.0, "scale": (0.85, 1.15), "head_widths": (512, 256), "lr": 1e-3, "datasets": ("a", "b")}
    }


def test_another_policy_takes_the_place_of_the_one_below_with_its_changes(mine, tmp_path):
    recipe = mine('[options]\naugment = "own.toml"\nshift = 0.2\n', "recipe.toml")  # the policy lies beside it
    mine("rotation = 20\nflip = 0.5\n", "own.toml")
    assert chosen(recipe=str(recipe)) == Policy(rotation=20, flip=0.5, shift=0.2)
    assert chosen("flip=0.1", recipe=str(recipe)) == Policy(rotation=20, flip=0.1, shift=0.2)
    assert chosen("flip=none", recipe=str(recipe)).flip == 0.5
    assert chosen(recipe=str(recipe), augment="light") == POLICIES["light"]
    before = resolve.merge("m", str(recipe), (), {}, None)
    assert chosen(recipe="default", augment=mine("shear = 3"), before=before) == Policy(shear=3)


@pytest.mark.parametrize("engine", ["auto", "workers"])
def test_a_runs_config_gives_the_same_policy_when_the_file_has_gone(mine, tmp_path, engine):
    path = mine("rotation = 20\nzoom = 0.15\nerase = 0.1\nerase_area = [0.02, 0.1]\n")
    config = resolve.merge("m", "default", [f"engine={engine}", "flip=0.5"], {"augment": path}, None)
    (tmp_path / "config.toml").write_text(config.toml())
    path.unlink()
    assert resolve.merge("m", str(tmp_path), (), {}, None) == config
    assert own_ranges.of_run(config) == Policy(
        rotation=20, scale=(0.85, 1.15), erase=0.1, erase_area=(0.02, 0.1), flip=0.5
    )
    assert 'augment = "own"' in config.toml()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("rotatoin=20", "Did you mean rotation"),
        ("rotation=200", "0 to 180 degrees"),
        ("rotation=-5", "0 to 180 degrees"),
        ("shift=1", "at least 0 and below 1"),
        ("flip=1.5", "a chance, from 0 to 1"),
        ("shear=90", "below 90 degrees"),
        ("scale=0,1", "factors from 0.1 to 10"),
        ("scale=1.2,0.8", "Give 0.8,1.2."),
        ("scale=0.9", "two numbers"),
        ("scale=0.8,1,1.2", "two numbers"),
        ("zoom=big", "zoom is a number, such as 0.15"),
        ("zoom=1", "factors from 0.1 to 10"),
        ("zoom=0.2,scale=0.9,1.1", "Keep one of them"),
        ("crop=0,1", "above 0 and at most 1"),
        ("rotation=round", "not a number"),
        ("erase=0.5,erase_area=0.5,0.9", "it can be at most 0.30"),
        ("crop=0.9,1,crop_aspect=3,4", "nearer to 1"),
    ],
)
def test_what_no_policy_can_be_is_refused_with_what_it_can(given, words):
    with pytest.raises(BadOption) as error:
        chosen(given)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rotatoin = 20", "Did you mean rotation"),
        ("lr = 0.1\n", "A policy has no range 'lr'"),
        ("rotation = 200", "mine.toml: rotation is 200."),
        ("rotation = [1, 2]", "is not a number"),
        ("rotation = true", "is not a number"),
        ("scale = [1.1, 0.9]", "from high to low"),
        ("scale = 0.9", "scale is written as 0.25,0.5"),
        ("scale = [0.9, 1.1]\nzoom = 0.2", "mine.toml: zoom and scale are one range"),
        ("rotation: 20", "not valid TOML"),
        ('about = "nothing"', "has no ranges"),
        ("[strong]\nflip = 0.5", "its ranges without a heading"),
        ("[options]\nlr = 0.1", "with --recipe"),
        ("erase_area = [0.02, 0.1]", "no effect without an erase"),
        ("#" * 200_000, "too many for a policy"),
    ],
)
def test_a_file_that_is_no_policy_is_refused_with_the_reason(mine, text, words):
    with pytest.raises(BadOption) as error:
        chosen(augment=mine(text))
    assert words in str(error.value)


def test_a_recipe_with_both_words_of_one_range_is_refused(mine):
    with pytest.raises(BadOption, match="zoom and scale are one range"):
        chosen(recipe=mine("[options]\nzoom = 0.2\nscale = [0.9, 1.1]"))


def test_a_file_that_is_not_there_or_a_name_that_is_none_is_answered_with_close_ones(mine, tmp_path):
    mine("flip = 0.5", "mine.toml")
    with pytest.raises(BadOption, match=r"Did you mean .*mine\.toml"):
        chosen(augment=str(tmp_path / "mien.toml"))
    with pytest.raises(BadOption, match=r"Did you mean strong\?") as error:
        chosen(augment="strnog")
    assert "Or give a .toml file" in error.value.hint
    with pytest.raises(BadOption, match="has no ranges"):
        chosen(augment=OWN)


@pytest.mark.parametrize(
    ("given", "needs"),
    [
        ("rotation_chance=0.5", "a rotation, shear or scale"),
        ("shift_chance=0.5", "a shift"),
        ("tone_chance=0.5", "a brightness or contrast"),
        ("erase_area=0.1,0.2", "an erase"),
        ("erase_aspect=0.5,2", "an erase"),
        ("crop_aspect=0.8,1.25", "a crop"),
    ],
)
def test_a_range_that_does_nothing_beside_the_policys_others_is_refused(given, needs):
    with pytest.raises(BadOption, match=f"would have no effect: .* needs {needs}"):
        chosen(given, augment="flip")
    assert chosen(given, "rotation=5,shift=0.1,contrast=0.9,1.1,erase=0.3,crop=0.8,1", augment="flip")


def test_what_a_run_augments_with_is_said_in_a_line():
    config = resolve.merge("m", "default", ["rotation=20"], {"augment": "flip"}, None)
    line = own_ranges.in_a_line(own_ranges.in_words(config))
    assert line == "flip, with another rotation: rotation ±20°; flip 50% of the time"
    config = resolve.merge("m", "default", (), {"augment": "none"}, None)
    assert own_ranges.in_a_line(own_ranges.in_words(config)) == "none: images are not changed"
