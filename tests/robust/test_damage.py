"""Damage by chance, one bit or one cut: of a manifest and of an archive it is noticed, or it makes no difference."""

import shutil
import tarfile
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ferdata.manifest import Manifest
from ferdata.steps.ingest import ingest
from tests import fakes
from tests.robust.child import DONE, REFUSED, in_child
from tests.robust.extent import cases, chance, record, report
from tests.robust.invariants import KEPT
from tests.robust.made import Made

pytestmark = pytest.mark.slow


def _rows(path: Path) -> list[dict[str, Any]]:
    return [row for batch in Manifest(path).batches() for row in batch.to_pylist()]


def test_every_flipped_bit_of_a_manifest_is_noticed(made: Made, open_place: Path) -> None:
    (open_place / "here").mkdir()
    path = Path(shutil.copy(made.merged, open_place / "m.parquet"))
    data, rows, tally = path.read_bytes(), _rows(path), Counter[str]()
    wrong = []
    for number in cases(short=25, whole=1000):
        luck = chance("bit", number)
        at, bit = luck.randrange(len(data)), 1 << luck.randrange(8)
        path.write_bytes(data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :])
        ended = in_child(lambda: _rows(path) == rows, open_place / "here", memory=None)
        tally.update(("tried", "noticed" if ended.how == REFUSED else "same rows" if ended.value else "wrong"))
        if ended.how != REFUSED and not (ended.how == DONE and ended.value):
            wrong.append(f"{number}: bit {bit} of byte {at} of {len(data)}: {ended.fault or 'read as other rows'}")
    record("flipped bits", tally)
    assert not wrong, report(wrong, tally["tried"])


def _packed(root: Path, place: Path, kind: str) -> Path:
    """Pack a tree as one kind of archive."""
    path, files = place / f"data.{kind}", sorted(p for p in root.rglob("*") if p.is_file())
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                archive.write(file, file.relative_to(root))
        return path
    with tarfile.open(path, {"tar": "w", "tar.gz": "w:gz", "tar.xz": "w:xz", "tar.bz2": "w:bz2"}[kind]) as tar:  # type: ignore[call-overload]
        for file in files:
            tar.add(file, str(file.relative_to(root)))
    return path


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.xz", "tar.bz2"])
def test_a_damaged_archive_is_refused_or_read_whole(kind: str, open_place: Path) -> None:
    root, out = open_place / "d", open_place / "out"
    (open_place / "here").mkdir()
    root.mkdir()
    out.mkdir()
    fakes.layouts()["jaffe", "flat"](root)
    path = _packed(root, open_place, kind)
    ingest("jaffe", root=path, out=out / "whole.parquet", workers=1)
    data, tally = path.read_bytes(), Counter[str]()
    whole = Manifest(out / "whole.parquet").table("sample_id", *KEPT).to_pylist()

    def same() -> bool:
        ingest("jaffe", root=path, out=out / "m.parquet", workers=1, force=True)
        return Manifest(out / "m.parquet").table("sample_id", *KEPT).to_pylist() == whole

    wrong = []
    for number in cases(short=5, whole=60):
        luck = chance(kind, number)
        at = luck.randrange(len(data))
        bit = bytes([data[at] ^ 1 << luck.randrange(8)])
        path.write_bytes(data[:at] if luck.random() < 0.4 else data[:at] + bit + data[at + 1 :])
        ended = in_child(same, open_place / "here")
        tally.update(("tried", ended.how))
        # A tar has no checksum of what is in its files: a flipped bit there is a broken or another picture.
        if ended.fault or (ended.how == DONE and not ended.value and kind != "tar"):
            wrong.append(f"{number}, at {at} of {len(data)}: {ended.fault or 'other rows'}")
    record(f"damaged {kind}", tally)
    assert not wrong, report(wrong, tally["tried"])
