"""Parts: a folder of Parquet parts is a manifest wherever a file is, whole or refused with what is missing."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ferdata import manifest
from ferdata.errors import AlreadyExists, CannotWrite, NotAManifest
from ferdata.manifest import Manifest, writer
from ferdata.manifest.parts import PART
from ferdata.manifest.resume import Partial
from ferdata.schema import arrow_schema
from ferdata.steps.align import align
from ferdata.steps.group import group
from ferdata.steps.ingest import ingest
from ferdata.steps.merge import merge
from ferdata.steps.share import share
from ferdata.steps.split import split
from ferdata.steps.validate import validate
from tests.conftest import Ran, make_rows, metadata_of
from tests.fakes import layouts

ROWS = 25


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Close a part after every row group, and a row group after ten rows."""
    monkeypatch.setattr(writer, "PART_BYTES", 1)
    monkeypatch.setattr(writer, "ROW_GROUP_ROWS", 10)


def batches(n: int = ROWS) -> list[pa.RecordBatch]:
    """Return rows whose pictures all differ, five to a batch."""
    words = ("fear", "anger", "happiness")
    whole = make_rows([{"native_label": words[i % 3], "official_split": ("train", "test")[i % 2]} for i in range(n)])
    return [whole.slice(at, 5) for at in range(0, n, 5)]


def both(folder: Path, n: int = ROWS) -> tuple[Path, Path]:
    """Write the same rows as a file and as a folder."""
    rows = batches(n)
    for out in (folder / "file.parquet", folder / "parts"):
        manifest.write(out, rows, metadata_of(rows[0]))
    return folder / "file.parquet", folder / "parts"


def test_a_folder_has_the_rows_the_metadata_and_the_fingerprint_of_the_file(tmp_path: Path) -> None:
    file, parts = map(Manifest, both(tmp_path))
    names = sorted(p.name for p in parts.path.iterdir())
    assert names == [f"part-{i:05}-of-00003.parquet" for i in range(3)]
    assert [pq.ParquetFile(parts.path / name).metadata.num_rows for name in names] == [10, 10, 5]
    assert parts.metadata == file.metadata
    assert (parts.rows, parts.fingerprint) == (ROWS, file.fingerprint)
    assert parts.table() == file.table()
    assert pa.Table.from_batches(parts.batches(rows=7)) == pa.Table.from_batches(file.batches(rows=7))
    assert validate(parts.path, images=True) == ROWS
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file.parquet", "parts"]


def test_slices_are_the_rows_in_order_and_none_crosses_a_row_group(tmp_path: Path) -> None:
    _, path = both(tmp_path)
    opened = Manifest(path)
    pieces = list(opened.file.pieces(4, skip=9))
    assert pieces == [(9, 1), (10, 4), (14, 4), (18, 2), (20, 4), (24, 1)]
    whole = pa.Table.from_batches([opened.file.slice(*piece) for piece in reversed(pieces)])
    expected = opened.table("sample_id")["sample_id"].to_pylist()
    assert sorted(whole["sample_id"].to_pylist()) == expected[9:]
    assert opened.file.slice(14, 4).column("sample_id").to_pylist() == expected[14:18]


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    _, path = both(tmp_path)
    (path / "part-00001-of-00003.parquet").unlink()
    with pytest.raises(NotAManifest, match=r"part-00001-of-00003\.parquet missing"):
        Manifest(path)


def test_a_folder_that_a_killed_writer_moved_aside_is_found_by_who_reads_it(tmp_path: Path) -> None:
    """Where the disk cannot exchange two names there is a moment without the folder."""
    _, path = both(tmp_path)
    before = Manifest(path).fingerprint
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom ferdata.running import whole_file\n"
        "path = Path(sys.argv[1])\n"
        "path.rename(whole_file.temporary_beside(path).with_suffix(whole_file.ASIDE))\nos._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, path], check=False).returncode == 9
    assert not path.exists()
    assert Manifest(path).fingerprint == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file.parquet", "parts"]


@pytest.mark.parametrize("name", ["m.parquet", "parts"])
def test_a_write_that_cannot_begin_leaves_nothing(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writer, "_Writer", full)
    with pytest.raises(CannotWrite, match="No space left"):
        manifest.write(tmp_path / name, batches(), metadata_of(batches()[0]))
    assert list(tmp_path.iterdir()) == []


def test_a_part_that_is_cut_short_is_named(tmp_path: Path) -> None:
    _, folder = both(tmp_path)
    second = sorted(folder.iterdir())[1]
    second.write_bytes(second.read_bytes()[:100])
    with pytest.raises(NotAManifest, match=rf"{second.name} is incomplete"):
        Manifest(folder)


def test_a_folder_of_anything_else_is_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(NotAManifest, match="has no parts"):
        Manifest(tmp_path)


def test_parts_of_two_runs_are_not_one_manifest(tmp_path: Path) -> None:
    _, path = both(tmp_path)
    shutil.copytree(path, tmp_path / "kept")
    manifest.write(path, batches(), metadata_of(batches()[0]), force=True)
    shutil.copy(tmp_path / "kept" / "part-00002-of-00003.parquet", path)
    with pytest.raises(NotAManifest, match=r"part-00002-of-00003\.parquet was not written by the same run"):
        Manifest(path)
    for kept in (tmp_path / "kept").iterdir():
        kept.rename(kept.with_name(kept.name.replace("00003", "00004")))
        shutil.copy(kept.with_name(kept.name.replace("00003", "00004")), path)
    with pytest.raises(NotAManifest, match="of 3, 4 parts each"):
        Manifest(path)


def test_a_part_with_other_columns_is_refused(tmp_path: Path) -> None:
    _, path = both(tmp_path)
    part = path / "part-00001-of-00003.parquet"
    kept = pq.ParquetFile(part).metadata.metadata[PART]
    table = pq.read_table(part).drop_columns(["votes"])
    pq.write_table(table.replace_schema_metadata({PART: kept}), part)
    with pytest.raises(NotAManifest, match="has different columns"):
        Manifest(path)


def test_a_part_alone_is_answered_with_its_folder(tmp_path: Path) -> None:
    _, path = both(tmp_path)
    for part in sorted(path.iterdir()):
        with pytest.raises(NotAManifest) as caught:
            Manifest(part)
        assert "one part of a manifest" in caught.value.message
        assert str(path) in caught.value.hint


def test_a_folder_is_replaced_as_a_whole_and_only_by_force(tmp_path: Path) -> None:
    _, path = both(tmp_path)
    fewer = batches(10)
    with pytest.raises(AlreadyExists, match="already exists"):
        manifest.write(path, fewer, metadata_of(fewer[0]))
    assert Manifest(path).rows == ROWS
    manifest.write(path, fewer, metadata_of(fewer[0]), force=True)
    assert Manifest(path).rows == 10
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file.parquet", "parts"]


def test_a_folder_with_other_files_is_never_replaced_nor_written_into(tmp_path: Path) -> None:
    _, path = both(tmp_path)
    with pytest.raises(AlreadyExists, match="is an input"):
        manifest.check_output(path / "new.parquet", inputs=[path])
    (path / "notes.txt").write_text("mine")
    with pytest.raises(CannotWrite, match=r"other files, such as notes\.txt"):
        manifest.check_output(path, force=True)
    (tmp_path / "plain").write_text("a file")
    with pytest.raises(CannotWrite, match="without an ending means a folder"):
        manifest.check_output(tmp_path / "plain", force=True)
    (tmp_path / "empty").mkdir()
    manifest.write(tmp_path / "empty", batches(), metadata_of(batches()[0]))
    assert Manifest(tmp_path / "empty").rows == ROWS


def test_a_folder_that_another_run_wrote_meanwhile_is_kept(tmp_path: Path) -> None:
    rows = batches()

    def slow():
        yield from rows
        manifest.write(tmp_path / "m", rows[:1], metadata_of(rows[0]))

    with pytest.raises(AlreadyExists, match="in the meantime"):
        manifest.write(tmp_path / "m", slow(), metadata_of(rows[0]))
    assert Manifest(tmp_path / "m").rows == 5
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_a_writer_that_fails_leaves_no_folder(tmp_path: Path) -> None:
    rows = batches()

    def broken():
        yield from rows
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        manifest.write(tmp_path / "m", broken(), metadata_of(rows[0]))
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_folder_is_kept_aside_and_read_again(tmp_path: Path) -> None:
    rows, out = batches(), tmp_path / "m"

    def interrupted():
        yield from rows[:4]
        raise KeyboardInterrupt

    partial = Partial(out, {"a": 1})
    with pytest.raises(KeyboardInterrupt, match="--resume"):
        manifest.write(out, interrupted(), metadata_of(rows[0]), partial=partial)
    assert [p.name for p in tmp_path.iterdir()] == [".m.resume"]
    again = Partial(out, {"a": 1})
    again.begin(resume=True)
    earlier, done = again.read()
    assert done == 20
    written = manifest.write(out, [*earlier, rows[4]], metadata_of(rows[0]), partial=again)
    manifest.write(tmp_path / "whole.parquet", rows, metadata_of(rows[0]))
    assert written["fingerprint"] == Manifest(tmp_path / "whole.parquet").fingerprint
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m", "whole.parquet"]


def test_every_step_takes_and_makes_folders_as_it_does_files(tmp_path: Path) -> None:
    prints: list[list[str]] = []
    root = tmp_path / "data"
    root.mkdir()
    layouts()["ferplus", "png"](root)
    for ending in (".parquet", ""):
        at = tmp_path / f"as{ending}"
        at.mkdir()
        made = ingest("ferplus", root=root, out=at / f"m{ending}").out
        aligned = align(made, out=at / f"a{ending}", detector="haar", size=48).out
        grouped = group(made, out=at / f"g{ending}").out
        merged = merge(made, out=at / f"merged{ending}").out
        parted = split(merged, out=at / f"s{ending}", split="0.8,0.1,0.1").out
        assert grouped is not None
        outs = [made, aligned, grouped, merged, parted]
        assert all(out.is_dir() == (not ending) for out in outs)
        assert all(validate(out, images=True) == Manifest(made).rows for out in outs)
        rebuilt = share(merged, out=at / "r.json")
        prints.append([*(Manifest(out).fingerprint for out in outs), rebuilt.fingerprint])
    assert prints[0] == prints[1]


def test_the_commands_read_a_folder(ferdata, tmp_path: Path) -> None:
    file, parts = both(tmp_path)
    for command in ("show", "stats", "validate", "group"):
        shown = [json.loads(ferdata(command, path, "--json").out) for path in (file, parts)]
        for each in shown:
            each.pop("manifest", None)
            each.pop("size", None)
        assert shown[0] == shown[1], command
    ran: Ran = ferdata("merge", parts, "-o", "new/")
    assert ran.code == 0, ran
    assert (tmp_path / "new" / "part-00000-of-00003.parquet").is_file()


def test_training_reads_the_same_rows_from_a_folder(tmp_path: Path) -> None:
    from zoo.data.rows import read_rows

    file, parts = (read_rows(Manifest(path)) for path in both(tmp_path))
    assert parts.table == file.table
    assert (parts.soft == file.soft).all()


def test_pandas_duckdb_and_polars_open_the_folder(tmp_path: Path) -> None:
    import duckdb
    import pandas as pd
    import polars as pl

    _, path = both(tmp_path)
    assert len(pd.read_parquet(path)) == ROWS
    assert duckdb.sql(f"select count(distinct sample_id) from '{path}/*.parquet'").fetchall() == [(ROWS,)]
    assert pl.read_parquet(f"{path}/*.parquet").height == ROWS


def test_hugging_face_datasets_opens_the_folder_as_pictures(tmp_path: Path) -> None:
    _, path = both(tmp_path)
    code = (
        "import sys, datasets; d = datasets.load_dataset(sys.argv[1], split='train', cache_dir=sys.argv[2]); "
        "assert d[0]['image'].size == (48, 48), d[0]; print(len(d), d[24]['sample_id'])"
    )
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    ran = subprocess.run(
        [sys.executable, "-c", code, str(path), str(tmp_path / "cache")],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split()[-2:] == [str(ROWS), "made:0024"]


def test_columns_that_the_folder_lacks_are_null(tmp_path: Path) -> None:
    """A folder written before the schema had a column is read like such a file."""
    _, path = both(tmp_path)
    for part in path.iterdir():
        file = pq.ParquetFile(part)
        table = file.read().drop_columns(["label_quality"])
        pq.write_table(table.replace_schema_metadata(file.metadata.metadata), part)
    column = Manifest(path).table("label_quality")["label_quality"]
    assert (column.null_count, column.type) == (ROWS, arrow_schema("label_quality").field(0).type)
