import tomllib
from dataclasses import replace

import pytest

from ferdata.errors import BadOption
from zoo.options import recipes
from zoo.options.options import CHOICES, KEYS, NAMED, NEEDS, TrainConfig, idle, refuse_idle

CONFIG = TrainConfig(manifest='a "quoted" name.parquet', size=48, lr=0.1, datasets=("ferplus", "ckplus"), weights=None)


def test_the_file_reads_back_as_the_options():
    read = tomllib.loads(CONFIG.toml())["options"]
    given = {k: list(v) if isinstance(v, tuple) else v for k, v in CONFIG.as_dict().items() if v is not None}
    assert read == given


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, "fuzzy") for name in CHOICES),
        ("epochs", 0),
        ("batch", -1),
        ("batch", 1),
        ("size", 4),
        ("lr", 0.0),
        ("lr", float("nan")),
        ("time_limit", 0.0),
        ("smoothing", 1.0),
        ("weight_decay", -1e-4),
        ("patience", -1),
        ("channels", 2),
        ("ema", 1.0),
        ("layer_decay", 1.5),
        ("accumulate", 0),
    ],
)
def test_values_that_cannot_work_are_refused_with_what_may_be(name, value):
    with pytest.raises(BadOption) as error:
        replace(CONFIG, **{name: value})
    assert error.value.hint
    assert name in error.value.message.replace("-", "_")


def test_options_that_contradict_one_another_are_refused():
    with pytest.raises(BadOption, match="given 2 times: --pretrained, --init"):
        TrainConfig(pretrained=True, init="runs/first")
    with pytest.raises(BadOption, match="step_at"):
        TrainConfig(step_at=(20, 40), step_factors=(0.5,))
    with pytest.raises(BadOption, match="step_at"):
        TrainConfig(step_at=(40, 20), step_factors=(0.5, 0.1))
    with pytest.raises(BadOption, match="head_dropout"):
        TrainConfig(head="mlp", head_widths=(64, 32), head_dropout=(0.5,))
    with pytest.raises(BadOption, match="block_epochs"):
        TrainConfig(unfreeze="gradual", block_epochs=0)


def test_an_option_is_named_as_it_is_typed():
    with pytest.raises(BadOption, match="--weight-decay is -1"):
        TrainConfig(weight_decay=-1.0)
    with pytest.raises(BadOption, match="--set focal_gamma="):
        TrainConfig(focal_gamma=-1.0)
    assert set(NAMED) <= set(KEYS)


# An option that does something under some of the others alone: a value, where it works, where it does not.
UNDER = [
    ("focal_gamma", 3.0, {"loss": "focal"}, {"loss": "cross_entropy"}),
    ("weight_cap", 2.0, {"class_weights": "balanced"}, {"class_weights": "none"}),
    ("weight_cap", 2.0, {"class_weights": "effective"}, {}),
    ("plateau_factor", 0.1, {"schedule": "plateau"}, {"schedule": "step"}),
    ("plateau_patience", 2, {"schedule": "plateau"}, {}),
    ("step_start", 5, {"schedule": "exponential"}, {"schedule": "cosine"}),
    ("step_every", 5, {"schedule": "step"}, {"schedule": "step", "step_at": (2,), "step_factors": (0.5,)}),
    ("step_gamma", 0.5, {"schedule": "exponential", "step_at": (2,), "step_factors": (0.5,)}, {"schedule": "plateau"}),
    ("step_at", (2,), {"schedule": "step", "step_factors": (0.5,)}, {"step_factors": (0.5,)}),
    ("step_factors", (0.5,), {"schedule": "step", "step_at": (2,)}, {"schedule": "exponential", "step_at": (2,)}),
    ("min_lr", 1e-5, {"schedule": "one_cycle"}, {"schedule": "constant"}),
    ("head_epochs", 2, {"unfreeze": "lp-ft"}, {"unfreeze": "gradual"}),
    ("head_lr", 0.1, {"unfreeze": "head"}, {"unfreeze": "all"}),
    ("open_layers", 10, {"unfreeze": "top"}, {"unfreeze": "gradual"}),
    ("head_lr", 0.1, {"unfreeze": "lp-ft"}, {"unfreeze": "gradual"}),
    ("block_epochs", 2, {"unfreeze": "gradual"}, {"unfreeze": "lp-ft"}),
    ("layer_decay", 0.7, {"unfreeze": "all"}, {"unfreeze": "head"}),
    ("head_widths", (8,), {"head": "mlp"}, {"head": "linear"}),
    ("head_dropout", (0.5,), {"head": "mlp", "head_widths": (8,)}, {"head": "xgboost", "head_widths": (8,)}),
    ("head_norm", True, {"head": "mlp"}, {}),
    ("patience", 5, {"select": "loss"}, {"select": "last"}),
    ("epochs", 5, {}, {"images_seen": 1000}),
]


@pytest.mark.parametrize(("name", "value", "where", "not_where"), UNDER)
def test_an_option_is_refused_where_the_others_leave_it_nothing_to_do(name, value, where, not_where):
    works, does_nothing = TrainConfig(**{name: value, **where}), TrainConfig(**{name: value, **not_where})
    assert idle(works, [name]) == {}
    assert list(idle(does_nothing, [name])) == [name]
    with pytest.raises(BadOption, match=name) as refused:
        refuse_idle(idle(does_nothing, [name]))
    assert "needs" in refused.value.message


def test_every_option_that_needs_others_is_tried_above():
    assert {name for names, _, _ in NEEDS for name in names} == {name for name, *_ in UNDER}


def test_what_was_not_asked_for_or_is_turned_off_is_never_idle():
    assert TrainConfig().focal_gamma
    assert idle(TrainConfig(), []) == {}
    assert idle(TrainConfig(patience=0, select="last", head_widths=(), min_lr=0.0), ["patience", "head_widths"]) == {}


@pytest.mark.parametrize("name", recipes.names())
def test_no_recipe_sets_what_does_nothing_under_its_others(name):
    asked = recipes.load(name).options
    assert idle(TrainConfig(**asked), asked) == {}
