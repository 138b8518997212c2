import math

import numpy as np
import pytest
import torch

from ferdata.errors import BadOption, BrokenRun, Leak
from ferdata.manifest import Manifest
from tests.zoo.conftest import shape_rows
from zoo import data, guards


def checked(path, allow=False):
    rows = data.read_rows(Manifest(path))
    where = data.of_split(rows, "crossentropy")
    guards.check_splits(rows, where)
    return guards.check_leak(rows, where, allow)


def test_a_clean_manifest_passes(manifest_path):
    assert checked(manifest_path) == {"val_in_train": 0, "test_in_train": 0, "test_in_val": 0}


def test_a_group_on_both_sides_is_refused_with_the_way_out(shapes):
    rows = shape_rows()
    rows[-1]["group"] = rows[0]["group"]
    with pytest.raises(Leak, match="ferdata merge") as error:
        checked(shapes(rows))
    assert error.value.message.startswith("1 test and 0 val images")


def test_equal_pixels_are_refused_where_no_group_was_filled(shapes):
    rows = shape_rows(group=None)
    rows[-1]["shape"] = rows[0]["shape"]
    with pytest.raises(Leak, match="1 test"):
        checked(shapes(rows))


def test_a_leak_may_be_allowed_and_is_counted(shapes):
    rows = shape_rows()
    rows[-1]["group"] = rows[-2]["group"] = rows[0]["group"]
    assert checked(shapes(rows), allow=True)["test_in_train"] == 2


def test_val_and_test_sharing_is_counted_but_not_refused(shapes):
    rows = shape_rows()
    first_val = next(r for r in rows if r["split"] == "val")
    rows[-1]["group"] = first_val["group"]
    assert checked(shapes(rows))["test_in_val"] == 1


@pytest.mark.parametrize(("split", "use"), [("val", "choose"), ("test", "score"), ("train", "learn")])
def test_a_missing_split_is_refused_with_the_command_that_makes_one(shapes, split, use):
    with pytest.raises(BadOption, match=f"no {split} split to {use}") as error:
        checked(shapes([r for r in shape_rows() if r["split"] != split]))
    assert "--split" in error.value.hint


def test_one_class_only_is_refused(shapes):
    rows = [{**r, "native_label": "happiness"} for r in shape_rows()]
    with pytest.raises(BadOption, match="one class only"):
        checked(shapes(rows))


def test_pixels_that_were_scaled_twice_are_caught():
    images = torch.randn(64, 1, 8, 8)
    guards.check_scale(images)
    with pytest.raises(BadOption, match="scaled twice"):
        guards.check_scale(images / 255)
    with pytest.raises(BadOption):
        guards.check_scale(images * 255)
    with pytest.raises(BadOption):
        guards.check_scale(images * math.nan)


def test_a_loss_that_is_no_number_stops_the_run():
    guards.check_loss(1.0, 1)
    for loss in (math.nan, math.inf):
        with pytest.raises(BrokenRun, match="epoch 3"):
            guards.check_loss(loss, 3)


def test_the_prior_of_fer2013_is_the_famous_24_percent():
    counts = [3995, 436, 4097, 7215, 4830, 3171, 4965]
    found = guards.prior(torch.repeat_interleave(torch.arange(7), torch.tensor(counts)), 7)
    assert found["majority_share"] == pytest.approx(0.2513, abs=1e-4)
    assert found["prior_entropy"] == pytest.approx(1.8096, abs=1e-3)


def test_a_net_that_answers_with_the_prior_is_stopped_after_two_epochs():
    baseline = {"majority_share": 0.2513, "prior_entropy": 1.810}
    spread = np.random.default_rng(0).random((50, 7)).astype(np.float32)
    seen = [guards.is_prior(0.2494, 1.8115, spread, baseline)]  # a real log's figures
    guards.check_collapse(seen, 0.2494, 1.8115, baseline)
    seen.append(guards.is_prior(0.2461, 1.8113, spread, baseline))
    with pytest.raises(BrokenRun, match="scaled twice"):
        guards.check_collapse(seen, 0.2461, 1.8113, baseline)


def test_a_net_that_says_the_same_of_every_picture_is_found_whatever_its_loss():
    same = np.tile(np.float32([0.5, 0.3, 0.2]), (10, 1))
    assert guards.is_prior(0.1, 9.9, same, {"majority_share": 0.4, "prior_entropy": 1.0})


def test_a_net_that_learns_is_let_be():
    baseline = {"majority_share": 0.25, "prior_entropy": 1.81}
    spread = np.random.default_rng(0).random((50, 7)).astype(np.float32)
    guards.check_collapse([guards.is_prior(0.41, 1.52, spread, baseline)] * 5, 0.41, 1.52, baseline)
