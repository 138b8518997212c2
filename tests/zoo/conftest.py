"""A tiny manifest that can be learnt in seconds: four emotions, each drawn as a shape of its own, and a run on it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from ferdata import images, manifest
from ferdata.labels import EMOTIONS
from tests.conftest import make_rows, metadata_of
from zoo.training.train import Run, train

torch.set_num_threads(1)  # tests run side by side, and the nets are tiny


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    """Take back what other modules' tests leave: UMAP gives every library of the process as many threads as cores."""
    torch.set_num_threads(1)


SHAPES = ("neutral", "happiness", "surprise", "anger")
SIZES = {"train": 128, "val": 40, "test": 48}
# Seconds on two cores, and enough to learn four shapes.
QUICK: Mapping[str, Any] = {"size": 32, "batch": 16, "device": "cpu", "augment": "light", "epochs": 2}


def shape(emotion: str, seed: int, side: int = 32) -> np.ndarray:
    """Return a grey picture of the emotion's shape, moved, scaled and noisy by `seed`."""
    rng = np.random.default_rng(seed)
    canvas = rng.normal(60, 12, (side, side))
    x, y = (side // 2 + rng.integers(-2, 3, 2)).tolist()
    r = int(side * rng.uniform(0.26, 0.34))
    ink = float(rng.uniform(170, 230))
    drawn = np.zeros((side, side), np.float32)
    if emotion == "neutral":
        cv2.line(drawn, (x - r, y), (x + r, y), ink, 3)
    elif emotion == "happiness":
        cv2.ellipse(drawn, (x, y), (r, r), 0, 20, 160, ink, 3)
    elif emotion == "surprise":
        cv2.circle(drawn, (x, y), r, ink, -1)
    else:
        cv2.line(drawn, (x, y - r), (x, y + r), ink, 3)
    return np.clip(canvas + drawn, 0, 255).astype(np.uint8)


def shape_rows(**more: Any) -> list[dict[str, Any]]:
    """Return a row per picture, balanced in each split; `more` columns are the same in all."""
    rows = []
    for split, size in SIZES.items():
        for i in range(size):
            emotion = SHAPES[i % len(SHAPES)]
            seed = len(rows)
            rows.append({"native_label": emotion, "split": split, "group": seed, "shape": (emotion, seed), **more})
    return rows


MakeShapes = Callable[..., Path]


def write_shapes(path: Path, rows: list[dict[str, Any]], taxonomy: str = "basic8") -> Path:
    """Write a manifest of the rows, whose `shape` says what to draw, or whose `pixels` are given."""
    full = []
    for given in rows:
        row = dict(given)
        drawn = row.pop("shape", None)
        pixels = row.pop("pixels", None)
        pixels = shape(*drawn) if pixels is None else pixels
        facts = images.measure(pixels)
        stored = {"bytes": images.encode_png(pixels), "path": None}
        full.append({"image": stored, **{n: getattr(facts, n) for n in images.Facts.__slots__}, **row})
    batch = make_rows(full, taxonomy=taxonomy)
    metadata = metadata_of(batch, taxonomy=taxonomy)
    for source in metadata["sources"].values():
        source["labels"] = {e: e for e in EMOTIONS}
    manifest.write(path, [batch], metadata, force=True)
    return path


@pytest.fixture
def shapes(tmp_path: Path) -> MakeShapes:
    """Return a function that writes rows as a manifest in the test's own folder."""

    def make(rows: list[dict[str, Any]], taxonomy: str = "basic8", name: str = "shapes") -> Path:
        return write_shapes(tmp_path / f"{name}.parquet", rows, taxonomy)

    return make


@pytest.fixture(scope="session")
def manifest_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clean manifest of 216 drawn pictures, split, with groups."""
    return write_shapes(tmp_path_factory.mktemp("manifest") / "shapes.parquet", shape_rows())


@pytest.fixture(scope="session")
def trained(manifest_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run of a few epochs, for those who only read it."""
    out = tmp_path_factory.mktemp("runs") / "first"
    return train(manifest_path, out, **{**QUICK, "epochs": 5})


# Imported where they are asked for: `voted` draws with what stands above.


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a manifest of sixty voted faces to learn from, rare classes among them."""
    from tests.zoo.voted import train_faces, write_faces

    return write_faces(tmp_path_factory.mktemp("voted") / "faces.parquet", train_faces())


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run to begin from, whose answers differ from face to face."""
    from tests.zoo.voted import first_run

    return first_run(tmp_path_factory.mktemp("first") / "run")


@pytest.fixture(scope="session")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run to begin from, to whose net every class is as likely as the next."""
    from tests.zoo.voted import first_run

    return first_run(tmp_path_factory.mktemp("blank") / "run", blank=True)
