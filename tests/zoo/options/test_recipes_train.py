"""Recipes build, train two steps and are scored: small, on drawn faces, without a download."""

import tomllib
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from ferdata.labels import EMOTIONS
from tests.zoo.conftest import SHAPES, write_shapes
from zoo.evaluation.evaluate import evaluate
from zoo.options import recipes
from zoo.training.train import train

# Where a net takes no 32 px.
SMALLEST = {"inception-v3": 80, "deep-emotion": 48, "khaireddin": 40}
# Ten million weights and more: over ten seconds on a busy machine.
LARGE = {"lethesec", "notes-b3", "emotionnet2", "resnet50", "vgg19", "khaireddin", "inception-v3", "amrkld"}
# 134 million weights and more, half a minute each: their options are resnet50's, as test_recipes holds.
LARGER = {"vgg16-transfer", "vgg19-transfer"}
# An epoch of two steps. Two epochs, one for each stage, where the head goes first.
SHORT = {"batch": 8, "epochs": 1, "device": "cpu", "precision": "32-true"}


def votes(emotion: str, seed: int) -> list[int] | None:
    """Six for the emotion and four for neutral, or ten for neutral, in every other picture."""
    given = [4, *[0] * 9]
    given[EMOTIONS.index(emotion)] += 6
    return given if seed // len(SHAPES) % 2 else None


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen pictures to learn from, twenty-four to choose on and eight to test; half of them voted on."""
    sides = ["train"] * 16 + ["val"] * 24 + ["test"] * 8
    emotions = [SHAPES[i % len(SHAPES)] for i in range(len(sides))]
    rows = [
        {"native_label": emotion, "split": side, "group": seed, "shape": (emotion, seed), "votes": votes(emotion, seed)}
        for seed, (emotion, side) in enumerate(zip(emotions, sides, strict=True))
    ]
    return write_shapes(tmp_path_factory.mktemp("faces") / "faces.parquet", rows)


def first_weights(path: Path, backbone: str) -> Path:
    """Write weights in the place of published ones: drawn, with statistics that suit them."""
    torch.manual_seed(0)
    net = timm.create_model(backbone, pretrained=False).train()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        for _ in range(4):
            net(torch.randn(16, 3, 32, 32))
    save_file(net.state_dict(), path)
    return path


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if name in LARGE else name
        for name in recipes.names()
        if name not in LARGER
    ],
)
def test_a_recipe_builds_trains_and_is_scored(name, faces, tmp_path):
    asked = recipes.load(name).options
    changed = {**SHORT, "size": SMALLEST.get(name, 32)}
    if asked.get("unfreeze", "all") == "all":
        changed |= {"pretrained": False}
    else:  # a part of the net stands still at first, which only makes sense if it has learnt something before
        weights = first_weights(tmp_path / "first.safetensors", asked["backbone"])
        changed |= {"pretrained": False, "weights": weights}
        changed |= {"epochs": 2, "head_epochs": 1} if asked["unfreeze"] == "lp-ft" else {}
    run = train(faces, tmp_path / "run", recipe=name, options=changed)
    assert run.report["n"] == 8
    written = tomllib.loads((run.path / "config.toml").read_text())["options"]
    kept = {k: list(v) if isinstance(v, tuple) else v for k, v in asked.items() if k not in changed}
    assert {k: written[k] for k in kept} == kept
    assert evaluate(run, split="test", tta="none")["n"] == 8
