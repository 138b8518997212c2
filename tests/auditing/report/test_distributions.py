"""Distributions: what each threshold would find, and who is far from the others of a class."""

import numpy as np
import pytest

from ferdata.auditing.catalogue import BY_NAME
from ferdata.auditing.report.distributions import distribution, outliers


@pytest.mark.parametrize("name", ["dark", "bright"])
def test_each_stop_says_how_many_rows_audit_would_find_there(name: str) -> None:
    rng = np.random.default_rng(0)
    scores = np.append(rng.random(2000), [0.1, 0.2, np.nan]).astype(np.float32)
    made = distribution(BY_NAME[name], scores, 0.1)
    assert made is not None
    assert made["stops"][made["at"]] == 0.1
    for stop, count in zip(made["stops"], made["found"], strict=True):
        assert count == int((scores > stop if name == "bright" else scores < stop).sum()), stop
    assert sum(made["bars"]) == 2002
    assert made["low"] <= 0.001 < 0.999 <= made["high"] + 0.005


def test_a_threshold_that_no_row_is_near_is_on_the_chart() -> None:
    made = distribution(BY_NAME["small"], np.arange(60, 81, dtype=np.float32), 40)
    assert made is not None
    assert made["low"] < 40 < 79 < made["high"]


def test_what_is_a_yes_or_a_no_has_no_distribution() -> None:
    assert distribution(BY_NAME["unreadable"], np.zeros(9, np.float32), 0) is None
    assert distribution(BY_NAME["no_face"], np.full(9, np.nan, np.float32), 0.6) is None


def test_an_outlier_is_far_from_its_own_class_alone() -> None:
    rng = np.random.default_rng(0)
    brightness = np.concatenate([rng.normal(0.7, 0.02, 99), [0.3], rng.normal(0.3, 0.02, 99), [np.nan]])
    measures = {"brightness": brightness.astype(np.float32), "size": np.full(200, 48, np.float32)}
    light, dark, nobody = outliers(measures, np.repeat([0, 1], 100), ("light", "dark", "nobody"))
    assert light.rows[0] == 99
    assert (light.measure[0], light.distance[0] > 10) == ("brightness", True)
    assert not {99} & set(dark.rows.tolist())
    assert len(nobody.rows) == 0
