"""The pictures that the App shows: where they lie, or in the cache."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ferdata.errors import ImagesMissing
from ferdata.reviewing.fiftyone import decide
from ferdata.steps.pull import pull
from ferdata.steps.review import review
from tests.conftest import Ran, picture
from tests.reviewing.fiftyone.loaded import ids, load, shown


def test_pictures_that_are_gone_are_counted_and_a_set_without_any_is_refused(
    fo: Any, tmp_path: Path, ferdata: Callable[..., Ran]
) -> None:
    from ferdata.images import encode_png
    from ferdata.steps.ingest import ingest

    root = tmp_path / "faces"
    for seed in range(4):
        (root / "fear").mkdir(parents=True, exist_ok=True)
        (root / "fear" / f"{seed}.png").write_bytes(encode_png(picture(seed)))
    made = ingest("folder", root=root, out=tmp_path / "m.parquet").out
    (root / "fear" / "0.png").unlink()
    first = load(made)
    assert (first.rows, first.shown, first.without_picture) == (4, 3, 1)
    filepath = shown(fo, made).first().filepath
    assert filepath.startswith(str(root.resolve()))  # where it lies
    for path in (root / "fear").iterdir():
        path.unlink()
    with pytest.raises(ImagesMissing, match="The images of folder are not in"):
        review(made, app=False)
    assert ferdata("review", made, "--no-app").code == 1


def test_embedded_pictures_are_written_to_the_cache_once(fo: Any, made: Path) -> None:
    load(made)
    filepath = Path(shown(fo, made).first().filepath)
    before = filepath.stat().st_mtime_ns
    decide.decide(shown(fo, made), ids(fo, made, 0), "disgust")
    pull(made)
    load(made)
    assert filepath.stat().st_mtime_ns == before
    assert "media" in filepath.parts
