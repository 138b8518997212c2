"""Manifest: written whole or not at all, the same fingerprint for the same rows, and open to everybody."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferdata import manifest
from ferdata.errors import AlreadyExists, CannotWrite, ImagesMissing, InvalidManifest, NotAManifest
from ferdata.manifest.fingerprint import Fingerprint
from ferdata.schema import COLUMNS, arrow_schema
from tests.conftest import REPOSITORY, MakeManifest, make_rows, metadata_of


def test_what_is_written_is_read_back(make_manifest: MakeManifest) -> None:
    path = make_manifest({"native_label": "fear", "subject": "S1"}, {"native_label": "anger"})
    opened = manifest.Manifest(path)
    assert opened.rows == 2
    assert opened.table("label", "subject").to_pylist() == [
        {"label": "fear", "subject": "S1"},
        {"label": "anger", "subject": None},
    ]
    assert opened.metadata["counts"] == {"made": {"none": {"rows": 2, "labelled": 2}}}


def rewritten(path: Path, table: pa.Table) -> Path:
    """Write a manifest again as another program might, its own words kept."""
    pq.write_table(table.replace_schema_metadata({b"ferdata": pq.read_metadata(path).metadata[b"ferdata"]}), path)
    return path


def test_a_column_of_another_type_is_named_however_it_is_read(make_manifest: MakeManifest) -> None:
    path = make_manifest({"native_label": "fear"})
    table = pq.read_table(path)
    at = table.schema.get_field_index("phash")
    rewritten(path, table.set_column(at, "phash", pa.array(["no number"])))
    opened = manifest.Manifest(path)
    with pytest.raises(InvalidManifest, match="The column phash holds string"):
        opened.table("phash")
    with pytest.raises(InvalidManifest, match="The column phash holds string"):
        [manifest.conform(batch) for batch in opened.batches()]


def test_a_column_that_is_there_twice_is_no_manifests(make_manifest: MakeManifest) -> None:
    path = make_manifest({"native_label": "fear"})
    table = pq.read_table(path)
    rewritten(path, table.append_column("label", pa.array(["anger"])))
    with pytest.raises(NotAManifest, match="the column label twice"):
        manifest.Manifest(path)


def test_the_file_has_exactly_the_schemas_columns(make_manifest: MakeManifest) -> None:
    found = pq.read_schema(make_manifest({"native_label": "fear"}))
    assert found.names == [c.name for c in COLUMNS]
    assert found.types == arrow_schema().types


@settings(max_examples=20)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=6))
def test_the_fingerprint_does_not_depend_on_how_rows_are_cut(sizes: list[int]) -> None:
    words = ["a", "", None, "aé", "bb"]
    batch = make_rows(
        [
            {
                "native_label": "fear",
                "subject": words[i % 5],
                "votes": [i % 3] * 10 if i % 2 else None,
                "action_units": [{"au": "AU1", "intensity": None}] * (i % 3) if i % 4 else None,
            }
            for i in range(sum(sizes))
        ]
    )
    whole, cut = Fingerprint(), Fingerprint()
    whole.update(batch)
    at = 0
    for size in sizes:
        cut.update(batch.slice(at, size))
        at += size
    assert whole.hexdigest() == cut.hexdigest()


def test_any_changed_value_changes_the_fingerprint() -> None:
    def fingerprint(**row: object) -> str:
        hashed = Fingerprint()
        hashed.update(make_rows([{"native_label": "fear", "seed": 0} | row]))
        return hashed.hexdigest()

    seen = {
        fingerprint(), fingerprint(subject="S1"), fingerprint(subject=""), fingerprint(seed=1), fingerprint(frame=0),
        fingerprint(frame=1), fingerprint(native_label="anger"), fingerprint(issues=[]), fingerprint(issues=["a"]),
        fingerprint(issues=["a", "b"]), fingerprint(issues=["ab"]), fingerprint(synthetic=True),
    }  # fmt: skip
    assert len(seen) == 12


def test_a_column_that_the_schema_did_not_always_have_counts_once_it_holds_something() -> None:
    def fingerprint(*batches: pa.RecordBatch) -> str:
        hashed = Fingerprint()
        for batch in batches:
            hashed.update(batch)
        return hashed.hexdigest()

    now = make_rows([{"native_label": "fear", "seed": i} for i in range(3)])
    before = now.select([name for name in now.schema.names if name != "proposed_label"])
    held = make_rows([{"native_label": "fear", "seed": i, "proposed_label": [None, None, "fear"][i]} for i in range(3)])
    assert fingerprint(now) == fingerprint(before)
    assert fingerprint(held) == fingerprint(held.slice(0, 2), held.slice(2)) != fingerprint(now)


def test_values_that_do_not_repeat_are_stored_as_they_are_and_others_by_a_dictionary(
    make_manifest: MakeManifest,
) -> None:
    footer = pq.ParquetFile(make_manifest({"votes": [1] * 10}, {"votes": [1] * 10})).metadata.row_group(0)
    columns = [footer.column(i) for i in range(footer.num_columns)]
    plain = {c.path_in_schema for c in columns if "RLE_DICTIONARY" not in c.encodings}
    own = {"sample_id", "image.bytes", "image.path", "pixel_hash", "phash", "brightness", "contrast", "sharpness"}
    assert plain - {"synthetic"} == own  # Parquet has no dictionaries of booleans


def test_row_groups_hold_no_more_than_sixteen_megabytes_of_images(tmp_path: Path) -> None:
    batch = make_rows([{"native_label": "fear", "seed": 0} for _ in range(40)])
    image = pa.array([{"bytes": os.urandom(1 << 20), "path": None}] * 40, batch.schema.field("image").type)
    heavy = batch.set_column(batch.schema.get_field_index("image"), "image", image)
    manifest.write(tmp_path / "heavy.parquet", [heavy], metadata_of(batch))
    groups = pq.ParquetFile(tmp_path / "heavy.parquet").metadata
    assert groups.num_rows == 40
    assert max(groups.row_group(i).num_rows for i in range(groups.num_row_groups)) <= 16


def test_a_writer_that_fails_leaves_nothing(tmp_path: Path) -> None:
    batch = make_rows([{"native_label": "fear"}])

    def rows():
        yield batch
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        manifest.write(tmp_path / "m.parquet", rows(), metadata_of(batch))
    assert list(tmp_path.iterdir()) == []


def test_an_existing_output_is_refused_and_kept(make_manifest: MakeManifest) -> None:
    path = make_manifest({"native_label": "fear"})
    before = path.read_bytes()
    batch = make_rows([{"native_label": "anger"}])
    with pytest.raises(AlreadyExists, match="already exists"):
        manifest.write(path, [batch], metadata_of(batch))
    assert path.read_bytes() == before
    manifest.write(path, [batch], metadata_of(batch), force=True)
    assert manifest.Manifest(path).table("label")["label"].to_pylist() == ["anger"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(CannotWrite, match="Cannot write in"):
        manifest.check_output(blocked / "m.parquet")


def test_a_device_or_a_folder_is_no_output(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.parquet")
    with pytest.raises(CannotWrite, match="not a regular file"):
        manifest.check_output(tmp_path / "pipe.parquet", force=True)
    with pytest.raises(CannotWrite, match="is a folder"):
        manifest.check_output(tmp_path, force=True)


def test_a_pipe_is_no_manifest_and_is_not_waited_on(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.parquet")
    with pytest.raises(NotAManifest):
        manifest.Manifest(tmp_path / "pipe.parquet")


def test_of_two_runs_into_one_output_the_second_is_refused(tmp_path: Path) -> None:
    batch = make_rows([{"native_label": "fear"}])

    def rows():
        yield batch
        manifest.write(tmp_path / "m.parquet", [batch], metadata_of(batch) | {"by": "the other"}, force=True)

    with pytest.raises(AlreadyExists, match="in the meantime"):
        manifest.write(tmp_path / "m.parquet", rows(), metadata_of(batch))
    assert manifest.Manifest(tmp_path / "m.parquet").metadata["by"] == "the other"
    assert [p.name for p in tmp_path.iterdir()] == ["m.parquet"]


FULL = """
import resource, signal, sys
from pathlib import Path
from ferdata import manifest
from ferdata.errors import CannotWrite
from tests.conftest import make_rows, metadata_of
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
batch = make_rows([{"native_label": "fear"}] * 60)
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
try:
    manifest.write(Path(sys.argv[1]), [batch] * 20, metadata_of(batch))
except CannotWrite as error:
    print(error)
"""


def test_a_disk_that_fills_is_our_error_and_leaves_nothing(tmp_path: Path) -> None:
    """A limit on the size of files fails a write in the middle, as a full disk does."""
    command = [sys.executable, "-c", FULL, str(tmp_path / "m.parquet")]
    ran = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "m.parquet failed" in ran.stdout
    assert "Free some space" in ran.stdout
    assert list(tmp_path.iterdir()) == []


KILLED = """
import sys, time
sys.path.insert(0, {repository!r})
from pathlib import Path
from ferdata import manifest
from tests.conftest import make_rows, metadata_of
batch = make_rows([{{"native_label": "fear", "seed": 0}}] * 50)
def rows():
    while True:
        yield batch
        print("row", flush=True)
        time.sleep(0.05)
manifest.write(Path({out!r}), rows(), metadata_of(batch))
"""


def test_a_killed_writer_leaves_no_manifest_and_the_next_one_clears_its_remains(tmp_path: Path) -> None:
    out = tmp_path / "m.parquet"
    code = KILLED.format(repository=str(REPOSITORY), out=str(out))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "row\n"
        process.send_signal(signal.SIGKILL)
    assert not out.exists()
    assert len(list(tmp_path.iterdir())) == 1
    batch = make_rows([{"native_label": "fear"}])
    manifest.write(out, [batch], metadata_of(batch))
    assert list(tmp_path.iterdir()) == [out]


def test_a_file_that_is_not_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.parquet"
    path.write_bytes(b"PAR1 but not really")
    with pytest.raises(NotAManifest, match="not a Parquet file"):
        manifest.Manifest(path)


def test_parquet_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(NotAManifest, match="not a ferdata manifest"):
        manifest.Manifest(path)


def test_another_schema_version_is_refused_with_both_numbers(make_manifest: MakeManifest) -> None:
    path = make_manifest({"native_label": "fear"})
    table = pq.read_table(path)
    written = json.loads(pq.ParquetFile(path).metadata.metadata[b"ferdata"]) | {"schema_version": 99}
    pq.write_table(table.replace_schema_metadata({"ferdata": json.dumps(written)}), path)
    with pytest.raises(NotAManifest, match=r"version 99; .* reads version 1"):
        manifest.Manifest(path)


def test_a_manifest_that_is_cut_short_is_refused(make_manifest: MakeManifest) -> None:
    path = make_manifest({"native_label": "fear"})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(NotAManifest):
        manifest.Manifest(path)


def referring(tmp_path: Path, image: str) -> manifest.Manifest:
    """Return a manifest, in tmp_path/manifests, whose only image is `image` below tmp_path/data."""
    batch = make_rows([{"native_label": "fear"}])
    path = pa.array([{"bytes": None, "path": image}], batch.schema.field("image").type)
    batch = batch.set_column(batch.schema.get_field_index("image"), "image", path)
    data = metadata_of(batch)
    data["sources"]["made"]["root"] = "../data"
    manifest.write(tmp_path / "manifests" / "m.parquet", [batch], data)
    return manifest.Manifest(tmp_path / "manifests" / "m.parquet")


def first_image(opened: manifest.Manifest) -> bytes:
    row = next(opened.batches(["dataset", "image"])).to_pylist()[0]
    return opened.read_image(row, opened.roots())


def test_images_are_found_from_the_manifest_and_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = referring(tmp_path, "a/b.png")
    (tmp_path / "data" / "a").mkdir(parents=True)
    (tmp_path / "data" / "a" / "b.png").write_bytes(b"here")
    assert first_image(opened) == b"here"
    (tmp_path / "data").rename(tmp_path / "moved")
    with pytest.raises(ImagesMissing) as caught:
        first_image(opened)
    assert "FERDATA_ROOT_MADE" in caught.value.hint
    monkeypatch.setenv("FERDATA_ROOT_MADE", str(tmp_path / "moved"))
    assert first_image(opened) == b"here"


@pytest.mark.parametrize("path", ["../secret.png", "a/../../secret.png", "/etc/hostname", "link.png", "out/secret.png"])
def test_a_path_that_leads_out_of_the_root_is_not_followed(tmp_path: Path, path: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "secret.png").write_bytes(b"secret")
    (tmp_path / "data" / "link.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "data" / "out").symlink_to(tmp_path)
    with pytest.raises(ImagesMissing):
        first_image(referring(tmp_path, path))


def test_hugging_face_pandas_duckdb_and_polars_open_it(make_manifest: MakeManifest, tmp_path: Path) -> None:
    import duckdb
    import pandas as pd
    import polars as pl

    path = make_manifest({"native_label": "fear"}, {"native_label": "anger", "votes": [1] * 10})
    assert pd.read_parquet(path)["native_label"].tolist() == ["fear", "anger"]
    query = f"select count(*), min(native_label) from '{path}'"
    assert duckdb.sql(query).fetchall() == [(2, "anger")]
    assert pl.read_parquet(path)["native_label"].to_list() == ["fear", "anger"]


def test_hugging_face_datasets_decodes_the_images(make_manifest: MakeManifest, tmp_path: Path) -> None:
    path = make_manifest({"native_label": "fear", "seed": 5}, {"native_label": "anger"})
    code = (
        "import sys, datasets; d = datasets.load_dataset('parquet', data_files=sys.argv[1], split='train', "
        "cache_dir=sys.argv[2]); assert d[0]['image'].size == (48, 48), d[0]; print(d[1]['native_label'])"
    )
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    started = time.monotonic()
    ran = subprocess.run(
        [sys.executable, "-c", code, str(path), str(tmp_path / "cache")],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split()[-1] == "anger", time.monotonic() - started
