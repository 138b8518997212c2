"""Draw: three trees, the same bytes for the same seed, replaced only on request."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from ferdata.errors import AlreadyExists, BadOption, CannotWrite
from ferdata.images import decode
from ferdata.steps.draw import draw

SMALL = 240


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return draw(tmp_path_factory.mktemp("drawn"), faces=SMALL, seed=3)


def digest(root: Path) -> str:
    whole = hashlib.sha256()
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        whole.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return whole.hexdigest()


def test_same_seed_gives_same_bytes(roots: dict[str, Path], tmp_path: Path) -> None:
    again = draw(tmp_path / "again", faces=SMALL, seed=3)
    other = draw(tmp_path / "other", faces=SMALL, seed=4)
    for name, root in roots.items():
        assert digest(again[name]) == digest(root)
        assert digest(other[name]) != digest(root)


def test_three_datasets_make_up_the_faces_asked_for(roots: dict[str, Path]) -> None:
    assert list(roots) == ["ferplus", "ckplus", "rafdb"]
    images = [p for root in roots.values() for p in root.rglob("*") if p.suffix in (".png", ".jpg")]
    assert SMALL <= len(images) <= 1.1 * SMALL
    for path in images:
        assert decode(path.read_bytes()).dtype == np.uint8


def test_an_existing_tree_is_replaced_only_on_request(tmp_path: Path) -> None:
    stray = tmp_path / "rafdb" / "stray.txt"
    stray.parent.mkdir()
    stray.touch()
    with pytest.raises(AlreadyExists, match="rafdb"):
        draw(tmp_path, faces=SMALL)
    draw(tmp_path, faces=SMALL, force=True)
    assert not stray.exists()


def test_too_few_faces_and_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(BadOption):
        draw(tmp_path, faces=10)
    (tmp_path / "file").touch()
    with pytest.raises(CannotWrite):
        draw(tmp_path / "file" / "below", faces=SMALL)
