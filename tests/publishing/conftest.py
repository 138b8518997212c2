"""A manifest of drawn faces that are one's own: a few classes in splits, one row without a label."""

from pathlib import Path

import pytest

from ferdata.steps.ingest import ingest
from ferdata.steps.merge import merge
from tests.fakes import face, save

CLASSES = ("happy", "sad", "neutral")


@pytest.fixture(scope="package")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a merge of 27 pictures in train, val and test, PNG and JPEG, whose terms are not known."""
    root = tmp_path_factory.mktemp("mine")
    for number, split in enumerate(("train", "train", "train", "train", "train", "val", "val", "test", "test")):
        for at, name in enumerate(CLASSES):
            suffix = ".jpg" if number % 2 else ".png"
            save(root / "photos" / split / name / f"{number}{suffix}", face(10 * number + at, 24, colour=True))
    save(root / "photos" / "train" / "wondering" / "1.png", face(99, 24))
    (root / "labels.toml").write_text('[labels]\n"wondering" = "unknown"\n')
    made = ingest(
        "folder", root=root / "photos", out=root / "one.parquet", name="mine", labels=str(root / "labels.toml")
    )
    return merge(made.out, out=root / "mine.parquet").out
