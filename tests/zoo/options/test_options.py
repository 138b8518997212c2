import tomllib
from dataclasses import replace

import pytest

from ferdata.errors import BadOption
from zoo.options.options import CHOICES, KEYS, NAMED, TrainConfig

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
