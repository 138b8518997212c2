"""The end of a run: trees are grown on what the net was taught."""

import numpy as np
import pytest
import torch

from ferdata.manifest import Manifest
from tests.zoo.conftest import QUICK
from zoo.data.rows import Images, class_weights, load, read_rows
from zoo.evaluation import calibration
from zoo.evaluation.inference import score
from zoo.models.load import load_model
from zoo.options.options import TrainConfig
from zoo.training import losses
from zoo.training.final_test import tree_weights
from zoo.training.train import train

SOFT = torch.tensor([[0.6, 0.4, 0.0], [1.0, 0.0, 0.0], [0.5, 0.0, 0.5], [1.0, 0.0, 0.0]])
ONE_SET = torch.zeros(4, dtype=torch.int64)


def images(soft=SOFT, hard=(0, 0, -1, 0)):
    return Images(np.arange(len(soft)), torch.zeros(len(soft), 8, 8, 1, dtype=torch.uint8), torch.tensor(hard), soft)


@pytest.mark.parametrize("more", [{}, {"class_weights": "balanced"}, {"class_weights": "effective", "weight_cap": 1.2}])
def test_rows_of_the_trees_add_up_to_the_loss_of_the_net(more):
    config = TrainConfig(**more)
    log_p = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).log_softmax(1)
    weights = class_weights(SOFT, config.class_weights, config.weight_cap)
    nets = losses.build(config, weights, torch.ones(3) / 3)(log_p, SOFT)
    trees = -(tree_weights(config, images(), ONE_SET) * log_p).sum(1).mean()
    assert float(trees) == pytest.approx(float(nets), rel=1e-6)


def test_an_image_counts_as_often_as_the_sampler_shows_it():
    hard, sets = (0, 0, 0, 1), torch.tensor([0, 0, 1, 1])
    soft = torch.eye(3)[list(hard)]
    balanced = tree_weights(TrainConfig(sampler="balanced"), images(soft, hard), sets)
    assert balanced.sum(1).tolist() == pytest.approx([2 / 3] * 3 + [2])
    by_set = tree_weights(TrainConfig(sampler="dataset"), images(soft[:3], hard[:3]), sets[:3])
    assert by_set.sum(1).tolist() == pytest.approx([0.75, 0.75, 1.5])


def test_of_several_right_classes_each_counts_for_its_part_of_the_image():
    several = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    counts = tree_weights(TrainConfig(targets="multi_target"), images(several, (-1, 2)), ONE_SET[:2])
    assert counts.tolist() == [[0.5, 0.5, 0], [0, 0, 1]]


def rows_that_say_nothing(voted):
    """Two pictures over and over, either three times called neutral and once happiness.

    To four of ten voters all of it is anger; if `voted`, so are two of five pictures to choose on and to test.
    """
    rows = []
    for split, size in (("train", 160), ("val", 80), ("test", 80)):
        for _ in range(size):
            seed = len(rows)
            pixels = np.random.default_rng(seed // 20 % 2).integers(0, 256, (32, 32)).astype(np.uint8)
            emotion = "happiness" if seed % 4 == 0 else "neutral"
            votes = [6 * (emotion == "neutral"), 6 * (emotion == "happiness"), 0, 0, 4, *[0] * 5]
            rows.append({"native_label": emotion, "split": split, "group": seed, "pixels": pixels, "votes": votes})
            if split != "train" and voted and seed % 5 < 2:
                rows[-1] |= {"native_label": "anger", "votes": None}
    return rows


@pytest.mark.parametrize(
    ("options", "shares"),
    [
        ({"targets": "majority", "class_weights": "balanced"}, (0.5, 0.5, 0)),
        ({"targets": "majority", "class_weights": "balanced", "weight_cap": 1.0}, (2 / 3, 1 / 3, 0)),
        ({"targets": "majority", "sampler": "balanced"}, (0.5, 0.5, 0)),
        ({"targets": "crossentropy"}, (0.45, 0.15, 0.4)),
    ],
)
def test_trees_say_what_targets_weights_and_sampler_say(shapes, tmp_path, options, shares):
    """Where pictures say nothing, what is left is how much each class counted for."""
    path = shapes(rows_that_say_nothing(options["targets"] != "majority"))
    quick = {**QUICK, "epochs": 1, "augment": "none", "backbone": "lenet5", "head": "xgboost", "select": "last"}
    run = train(path, tmp_path / "run", **quick, tta="none", allow_leak=True, options=options)
    net, meta = load_model(run.path / "model.safetensors")
    rows = read_rows(Manifest(path))
    test = load(rows, {"test": rows.where("test")}, meta.size, meta.channels)["test"]
    said = score(net, test.pixels, meta.mean, meta.std).mean(0)
    assert said[[0, 1, 4]] == pytest.approx(shares, abs=0.01)


def test_three_epochs_are_three_although_each_leaves_out_a_short_batch(manifest_path, tmp_path):
    run = train(manifest_path, tmp_path / "run", **{**QUICK, "batch": 24, "epochs": 3})
    assert run.report["training"]["epochs"] == 3  # of 5 batches of 24 each, of 128 images


def test_what_is_to_be_said_of_the_temperature_is_said_at_the_end_in_the_report_and_on_the_card(
    manifest_path, tmp_path, monkeypatch
):
    monkeypatch.setattr(calibration, "temperature", lambda p, hard: calibration.LOWEST)
    lines = []
    run = train(manifest_path, tmp_path / "run", **{**QUICK, "epochs": 1, "backbone": "lenet5"}, say=lines.append)
    (note,) = [note for note in run.report["protocol"]["notes"] if "temperature" in note]
    assert note in lines
    assert note in (run.path / "card.md").read_text()
    used = run.report["calibration"]["temperature"]
    assert used == (1 if "not used" in note else calibration.LOWEST)
    assert load_model(run.path / "model.safetensors")[1].temperature == used
