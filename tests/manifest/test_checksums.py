"""Checksums: whichever bit of a manifest flips, it is noticed, or nothing that is read has changed."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ferdata import manifest
from ferdata.auditing import predicted
from ferdata.errors import BadOption, BrokenRun, DamagedManifest, FerdataError, FerdataWarning
from ferdata.manifest import Manifest, checksums, rejects, writer
from ferdata.steps.group import group
from ferdata.steps.stats import stats
from ferdata.steps.validate import validate
from tests.conftest import MakeManifest, Ran, make_rows, metadata_of
from zoo.evaluation import predictions as run_predictions

FLIPS = 400


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a manifest of embedded pictures, in three row groups."""
    monkeypatch.setattr(writer, "ROW_GROUP_ROWS", 4)
    rows = make_rows([{"native_label": ("fear", "anger")[i % 2], "seed": i} for i in range(10)])
    manifest.write(tmp_path / "m.parquet", [rows.slice(at, 4) for at in (0, 4, 8)], metadata_of(rows))
    return tmp_path / "m.parquet"


def content(path: Path) -> tuple[Any, ...]:
    """Return all that a manifest says: metadata, types, rows and the bytes of pictures."""
    opened = Manifest(path)
    return opened.metadata, opened.file.schema_arrow, [batch.to_pydict() for batch in opened.batches()]


def flipped(path: Path, at: int, bit: int = 0) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << bit
    path.write_bytes(data)


def within(path: Path, column: str, group: int = 0) -> int:
    """Return the place of a byte in the middle of a column of a row group."""
    footer = pq.read_metadata(path)
    chunk = next(
        c for c in map(footer.row_group(group).column, range(footer.num_columns)) if c.path_in_schema == column
    )
    return int(chunk.data_page_offset + chunk.total_compressed_size // 2)


def test_every_flipped_bit_is_noticed_or_changes_nothing_that_is_read(made: Path) -> None:
    whole, data, picked = content(made), made.read_bytes(), random.Random(3)
    tail = len(data) - 3000  # footer and checksums, a small part of the file, take half of the flips
    noticed = 0
    for turn in range(FLIPS):
        made.write_bytes(data)
        at = picked.randrange(tail if turn % 2 else 0, len(data))
        flipped(made, at, bit := picked.randrange(8))
        try:
            found = content(made)
        except DamagedManifest:
            noticed += 1
        else:
            assert found == whole, (at, bit)
    assert noticed >= 0.98 * FLIPS


READS: list[Callable[[Manifest], object]] = [
    lambda m: m.table("votes"),
    lambda m: list(m.batches(["votes"])),
    lambda m: list(m.batches()),
    lambda m: m.file.read_row_group(1, ["votes"]),
    lambda m: m.file.slice(5, 2),
]


@pytest.mark.parametrize("read", READS)
def test_damage_is_named_with_file_and_row_group_however_it_is_read(
    made: Path, read: Callable[[Manifest], object]
) -> None:
    flipped(made, within(made, "votes.list.element", 1))
    with pytest.raises(DamagedManifest, match=r"m\.parquet is damaged: row group 2 of 3") as caught:
        read(Manifest(made))
    assert "Restore it from a copy" in caught.value.hint


def test_damage_in_a_part_is_told_by_the_parts_name(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "PART_BYTES", 1)
    rows = list(Manifest(made).batches(rows=4))
    manifest.write(made.with_suffix(""), rows, Manifest(made).metadata)
    part = made.with_suffix("") / "part-00001-of-00003.parquet"
    flipped(part, within(part, "native_label"))
    with pytest.raises(DamagedManifest, match=rf"{part.name} is damaged: row group 1 of 1"):
        Manifest(made.with_suffix("")).table("native_label")


def test_columns_that_are_whole_are_read_beside_a_damaged_one_in_another_block(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checksums, "BLOCK", 512)
    manifest.write(made, list(Manifest(made).batches(rows=4)), Manifest(made).metadata, force=True)
    flipped(made, within(made, "image.bytes"))
    assert Manifest(made).table("fold", "split").num_rows == 10
    with pytest.raises(DamagedManifest, match=r"at the column image\.bytes"):
        list(Manifest(made).batches(["image"]))


@pytest.mark.parametrize("cut", [1, 8, 100, 2000])
def test_a_manifest_without_its_end_is_refused(made: Path, cut: int) -> None:
    made.write_bytes(made.read_bytes()[:-cut])
    with pytest.raises(manifest.file.NotAManifest):
        Manifest(made)


def test_every_command_says_so_and_none_has_a_traceback(made: Path, ferdata: Callable[..., Ran]) -> None:
    flipped(made, within(made, "votes.list.element"))
    commands = ("validate", "stats", "merge", "split", "audit", "group", "align", "share", "pack", "show", "known")
    for name in commands:
        out = ["-o", made.parent / "out.parquet"] if name in ("merge", "split", "align", "group") else []
        answer = ferdata(name, made, *out)
        assert answer.code != 0 or name == "show", name
        assert "Traceback" not in answer.err, name
        if answer.code == 1:
            assert "is damaged: row group 1 of 3" in answer.err, (name, answer.err)
    with pytest.raises(DamagedManifest):
        stats(made)
    with pytest.raises(DamagedManifest):
        group(made, out=made.parent / "out.parquet")


def test_validate_reads_every_byte_and_tells_of_a_manifest_without_checksums(made: Path) -> None:
    table, meta = pq.read_table(made), pq.read_metadata(made).metadata
    pq.write_table(table.replace_schema_metadata(meta), made.with_name("old.parquet"))
    with pytest.warns(FerdataWarning, match="not protected by checksums"):
        assert validate(made.with_name("old.parquet")) == 10
    assert validate(made) == 10
    flipped(made, within(made, "image.bytes", 2))
    with pytest.raises(DamagedManifest, match="row group 3 of 3"):
        validate(made)


def test_what_arrow_cannot_read_of_a_manifest_without_checksums_is_no_traceback(made: Path) -> None:
    table, meta = pq.read_table(made), pq.read_metadata(made).metadata
    pq.write_table(table.replace_schema_metadata(meta), made)
    data, picked, tracebacks = made.read_bytes(), random.Random(1), []
    for _ in range(150):
        made.write_bytes(data)
        flipped(made, picked.randrange(len(data)), picked.randrange(8))
        try:
            list(Manifest(made).batches())
        except FerdataError:
            pass
        except Exception as error:
            tracebacks.append(error)
    assert tracebacks == []


def test_a_program_that_rewrites_a_manifest_leaves_no_false_alarm(made: Path) -> None:
    kept = pq.read_metadata(made).metadata  # all of it
    pq.write_table(pq.read_table(made).replace_schema_metadata(kept), made)
    assert not Manifest(made).file.protected
    assert Manifest(made).table().num_rows == 10


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "p.parquet"
    shares = pa.array([[0.25, 0.75], [0.5, 0.5]])
    held = pa.table({"sample_id": ["a", "b"], "probabilities": shares})
    path.write_bytes(checksums.as_bytes(held.replace_schema_metadata({"ferdata": '{"classes": ["fear", "anger"]}'})))
    assert checksums.read_table(path).equals(held)
    return path


def test_every_flipped_bit_of_predictions_is_noticed(table: Path) -> None:
    data, whole = table.read_bytes(), checksums.read_table(table)
    for at in range(0, len(data), 9):
        table.write_bytes(data)
        flipped(table, at, at % 8)
        try:
            assert checksums.read_table(table).equals(whole), at
        except checksums.Damaged:
            continue


def test_damaged_predictions_are_told_by_whoever_reads_them(table: Path) -> None:
    flipped(table, within(table, "probabilities.list.element"))
    with pytest.raises(BadOption, match=r"p\.parquet is damaged: row group 1 of 1"):
        predicted.read(table, pa.chunked_array([["a"]]), ("fear", "anger"))
    with pytest.raises(BrokenRun, match=r"p\.parquet is damaged: row group 1 of 1"):
        run_predictions.read(table)


def test_damaged_rejects_are_not_taken_for_none(make_manifest: MakeManifest) -> None:
    path = make_manifest({"native_label": "fear"})
    beside = rejects.beside(path)
    beside.write_bytes(checksums.as_bytes(rejects.COLUMNS.empty_table()))
    flipped(beside, -20)
    with pytest.raises(DamagedManifest, match="Restore it from a copy, or remove it"):
        rejects.read(path)
