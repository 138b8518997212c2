import tomllib
from dataclasses import replace

import pytest

from ferdata.errors import BadOption
from zoo.config import TrainConfig

CONFIG = TrainConfig(
    manifest='a "quoted" name.parquet',
    backbone="resnet_fer",
    size=48,
    channels=1,
    targets="soft",
    epochs=30,
    time_limit=None,
    batch=128,
    optimiser="sgd",
    lr=0.1,
    weight_decay=5e-4,
    smoothing=0.0,
    augment="standard",
    class_weights="none",
    select="accuracy",
    patience=20,
    tta=True,
    device="cpu",
    precision="32-true",
    seed=0,
    datasets=("ferplus", "ckplus"),
    allow_leak=False,
    pretrained=False,
)


def test_the_file_reads_back_as_the_options():
    read = tomllib.loads(CONFIG.toml())
    given = {k: list(v) if isinstance(v, tuple) else v for k, v in CONFIG.as_dict().items() if v is not None}
    assert read == given


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("targets", "fuzzy"),
        ("class_weights", "heavy"),
        ("select", "test"),
        ("epochs", 0),
        ("batch", -1),
        ("lr", 0.0),
        ("lr", float("nan")),
        ("time_limit", 0.0),
        ("smoothing", 1.0),
        ("weight_decay", -1e-4),
        ("patience", -1),
    ],
)
def test_values_that_cannot_work_are_refused_with_what_may_be(name, value):
    with pytest.raises(BadOption) as error:
        replace(CONFIG, **{name: value})
    assert error.value.hint
