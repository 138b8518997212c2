"""A shared file that tests of rehydrate spoil."""

import json
from pathlib import Path

import pytest

from ferdata.steps.ingest import ingest
from ferdata.steps.share import share
from tests.fakes import face, save
from tests.steps.shared_documents import Document


@pytest.fixture
def document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Document:
    """An honest shared file of four pictures in tmp_path/photos, whose labels a map of the sender's explains.

    Whatever a shared file calls the dataset, the pictures are found: an evil one is stopped by nothing else.
    """
    monkeypatch.setenv("FERDATA_ROOT_FOLDER", str(tmp_path / "photos"))
    for i, name in enumerate(("happy/1.png", "happy/2.png", "gram/3.png", "gram/4.png")):
        save(tmp_path / "photos" / name, face(i))
    (tmp_path / "map.toml").write_text('[labels]\n"gram" = "sadness"\n')
    made = ingest(
        "folder", root=tmp_path / "photos", out=tmp_path / "m.parquet", name="mine", labels=str(tmp_path / "map.toml")
    )
    return dict(json.loads(share(made.out, out=tmp_path / "shared.json").out.read_text()))
