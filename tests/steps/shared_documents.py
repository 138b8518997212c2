"""What the tests of rehydrate share: a place of a shared file changed, the file read, the file refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from ferdata.errors import BrokenSource
from ferdata.steps.rehydrate import rehydrate

Where = tuple[str | int, ...]


Document = dict[str, Any]


STEP, OPTIONS, SOURCE = ("lineage", 0), ("lineage", 0, "options"), ("sources", "mine")


DELETED = object()


def changed(document: Document, where: Where, value: Any) -> Document:
    """Return the document with one place of it changed; DELETED takes the place away."""
    *above, last = where
    inner: Any = document
    for word in above:
        inner = inner[word]
    if value is DELETED:
        del inner[last]
    else:
        inner[last] = value
    return document


def rehydrated(tmp_path: Path, document: Any) -> Any:
    """Rehydrate what a text or a document says, on the pictures of tmp_path/photos."""
    text = document if isinstance(document, str) else json.dumps(document)
    (tmp_path / "evil.json").write_text(text)
    return rehydrate(tmp_path / "evil.json", out=tmp_path / "out" / "o.parquet", root=[f"mine={tmp_path}/photos"])


def refused(tmp_path: Path, document: Any, message: str) -> None:
    """Check that a shared file is refused by what is wrong with it, and that no file came, went or changed."""
    (tmp_path / "evil.json").touch()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.name != "evil.json"}
    with pytest.raises(BrokenSource, match=message) as caught:
        rehydrated(tmp_path, document)
    assert "evil.json is not a shared file" in caught.value.message
    assert "ferdata share M -o" in caught.value.hint
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.name != "evil.json"}
    assert after == before
