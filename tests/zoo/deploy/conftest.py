"""A run that has learnt nothing, and a folder of pictures to show it."""

from pathlib import Path
from typing import Any

import pytest

from ferdata.images import encode_png
from tests.zoo.conftest import SHAPES, shape
from tests.zoo.untaught import untaught


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the run."""
    return untaught(tmp_path_factory.mktemp("runs") / "first")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Return the folder: two pictures of each shape, one of them a folder deeper."""
    folder = tmp_path / "pictures"
    (folder / "deeper").mkdir(parents=True)
    for i, emotion in enumerate(SHAPES * 2):
        place = folder / "deeper" if i % 2 else folder
        (place / f"{emotion}-{i}.png").write_bytes(encode_png(shape(emotion, 9000 + i)))
    return folder
