"""What a stopped write leaves: all that was done, never less than before, and never taken away unasked."""

import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ferdata import manifest
from ferdata.errors import BadOption, CannotWrite, ImagesMissing
from ferdata.manifest import Manifest
from ferdata.manifest.resume import Partial
from tests.conftest import REPOSITORY, make_rows, metadata_of

ROWS = make_rows([{"native_label": "fear"}] * 40)
SAME = {"option": "this"}


def stopped_after(
    rows: int, error: BaseException | type[BaseException] = KeyboardInterrupt
) -> Iterator[pa.RecordBatch]:
    """Yield so many rows, five at a time, and stop."""
    for at in range(0, rows, 5):
        yield ROWS.slice(at, 5)
    raise error or KeyboardInterrupt


def run(out: Path, batches: Any, resume: bool = False, same: dict[str, str] | None = None, force: bool = False) -> None:
    partial = Partial(out, same or SAME)
    partial.begin(resume)
    earlier, done = partial.read()
    rest = (b for b in batches if b.column("sample_id")[0].as_py() >= f"made:{done:04}")
    manifest.write(out, (b for part in (earlier, rest) for b in part), metadata_of(ROWS), force, partial)


def left(out: Path) -> list[str]:
    """Return the ids of the rows that were left for another run."""
    partial = Partial(out, SAME)
    partial.begin(resume=True)
    return [i for batch in partial.read()[0] for i in batch.column("sample_id").to_pylist()]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError(), ImagesMissing("one", "look")])
def test_whatever_stops_a_write_what_was_done_is_kept_and_said_to_be(tmp_path: Path, error: BaseException) -> None:
    out = tmp_path / "m.parquet"
    with pytest.raises(type(error)) as caught:
        run(out, stopped_after(20, error))
    said = f"{caught.value}{getattr(caught.value, '__notes__', '')}"
    assert "the same command with --resume to continue" in said
    assert [p.name for p in tmp_path.iterdir()] == [".m.parquet.resume"]
    assert left(out) == [f"made:{i:04}" for i in range(20)]
    run(out, [ROWS.slice(at, 5) for at in range(0, 40, 5)], resume=True)
    assert Manifest(out).table("sample_id")["sample_id"].to_pylist() == ROWS.column("sample_id").to_pylist()
    assert [p.name for p in tmp_path.iterdir()] == ["m.parquet"]


def test_a_run_that_is_stopped_before_anything_is_done_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        run(tmp_path / "m.parquet", stopped_after(0))
    assert "--resume" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("resume", [True, False])
def test_a_run_that_is_stopped_earlier_keeps_what_an_earlier_one_had_done(tmp_path: Path, resume: bool) -> None:
    out = tmp_path / "m.parquet"
    with pytest.raises(KeyboardInterrupt):
        run(out, stopped_after(30))
    partial = Partial(out, SAME)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        partial.begin(resume)
    with pytest.raises(KeyboardInterrupt, match="--resume to continue"):
        manifest.write(out, stopped_after(10), metadata_of(ROWS), partial=partial)
    assert len(left(out)) == 30
    with pytest.raises(KeyboardInterrupt, match="--resume to continue"):
        manifest.write(out, stopped_after(35), metadata_of(ROWS), partial=partial)
    assert len(left(out)) == 35


def test_a_run_without_resume_says_what_it_passes_over_and_removes_it_once_it_has_succeeded(tmp_path: Path) -> None:
    out = tmp_path / "m.parquet"
    with pytest.raises(KeyboardInterrupt):
        run(out, stopped_after(30))
    seen = []

    def looking() -> Iterator[pa.RecordBatch]:
        for at in range(0, 40, 5):
            seen.append(len(left(out)))
            yield ROWS.slice(at, 5)

    with pytest.warns(UserWarning, match="left 30 rows for .*m.parquet: --resume would continue from them"):
        run(out, looking())
    assert seen == [30] * 8
    assert [p.name for p in tmp_path.iterdir()] == ["m.parquet"]


def test_what_a_run_with_other_options_left_is_neither_gone_on_from_nor_replaced_by_less(tmp_path: Path) -> None:
    out = tmp_path / "m.parquet"
    with pytest.raises(KeyboardInterrupt):
        run(out, stopped_after(30))
    other = {"option": "another"}
    with pytest.raises(BadOption, match="other options"):
        run(out, [ROWS], resume=True, same=other)
    with pytest.warns(UserWarning, match="they are from another input"), pytest.raises(KeyboardInterrupt) as caught:
        run(out, stopped_after(10), same=other)
    assert "--resume" not in str(caught.value)
    assert len(left(out)) == 30


def test_what_was_left_and_is_damaged_is_named_and_makes_way(tmp_path: Path) -> None:
    out = tmp_path / "m.parquet"
    (tmp_path / ".m.parquet.resume").write_bytes(b"PAR1 cut short")
    with pytest.raises(BadOption, match="cannot be read"):
        run(out, [ROWS], resume=True)
    with pytest.warns(UserWarning, match="starts again"):
        run(out, [ROWS])
    assert [p.name for p in tmp_path.iterdir()] == ["m.parquet"]


def test_rejects_are_kept_with_the_rows_that_they_stand_among(tmp_path: Path) -> None:
    out, rejects = tmp_path / "m.parquet", [{"sample_id": f"bad:{i}"} for i in range(9)]
    partial, so_far = Partial(out, SAME), []

    def batches() -> Iterator[pa.RecordBatch]:
        for i in range(3):
            so_far.append(rejects[i])  # found with the batch that follows
            yield ROWS.slice(5 * i, 5)
        so_far.extend(rejects[3:])  # of a batch that is not written
        raise KeyboardInterrupt

    partial.rejects_now = lambda: so_far
    with pytest.raises(KeyboardInterrupt):
        manifest.write(out, batches(), metadata_of(ROWS), partial=partial)
    again = Partial(out, SAME)
    again.begin(resume=True)
    assert (again.rows, again.rejects, again.read()[1]) == (15, rejects[:3], 18)


def samples(*ids: str) -> Iterator[str]:
    return iter([f"made:{i}" for i in ids])


@pytest.mark.parametrize(
    ("now", "rows", "met", "unused", "after"),
    [
        (("0000", "x", "0001", "y", "0002", "0003"), 3, ["x", "y"], 0, ["0003"]),
        (("0000", "x", "0001", "new", "y", "0002"), 2, ["x"], 1, ["new", "y", "0002"]),
        (("new", "0000", "x", "0001"), 0, [], 3, ["new", "0000", "x", "0001"]),
        (("0000", "x", "0002"), 1, ["x"], 2, ["0002"]),
        (("0000", "0001", "0002", "y"), 3, ["y"], 0, []),
        ((), 0, [], 3, []),
    ],
    ids=["the same", "added between", "added before", "one taken away", "a reject taken away", "nothing left"],
)
def test_rows_are_gone_on_from_as_far_as_they_are_what_the_samples_become_now(
    tmp_path: Path, now: tuple[str, ...], rows: int, met: list[str], unused: int, after: list[str]
) -> None:
    out = tmp_path / "m.parquet"
    partial = Partial(out, SAME)
    partial.rejects_now = lambda: [{"sample_id": "made:x"}, {"sample_id": "made:y"}]

    def batches() -> Iterator[pa.RecordBatch]:
        yield ROWS.slice(0, 3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        manifest.write(out, batches(), metadata_of(ROWS), partial=partial)
    again = Partial(out, SAME)
    again.begin(resume=True)
    found = list(again.matching(samples(*now), str))
    assert sum(batch.num_rows for batch, _ in found) == rows
    assert [reject["sample_id"] for _, rejects in found for reject in rejects] == [f"made:{i}" for i in met]
    assert again.unused == unused
    assert list(again.after) == [f"made:{i}" for i in after]


FULL = """
import resource, signal, sys
from pathlib import Path
from ferdata import manifest
from ferdata.errors import CannotWrite
from ferdata.manifest import writer
from ferdata.manifest.resume import Partial
from tests.conftest import make_rows, metadata_of
writer.ROW_GROUP_ROWS = 60
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
batch = make_rows([{"native_label": "fear", "seed": i} for i in range(60)])
out = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    manifest.write(out, [batch] * 40, metadata_of(batch), partial=Partial(out, {"option": "this"}))
except CannotWrite as error:
    print(error)
"""


@pytest.mark.parametrize("name", ["m.parquet", "m"])
def test_a_disk_that_fills_keeps_the_row_groups_that_were_written(tmp_path: Path, name: str) -> None:
    command = [sys.executable, "-c", FULL, str(tmp_path / name)]
    ran = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "Free some space" in ran.stdout
    assert "the same command with --resume to continue" in ran.stdout
    assert [p.name for p in tmp_path.iterdir()] == [f".{name}.resume"]
    kept = left(tmp_path / name)
    assert len(kept) >= 60
    assert kept == [f"made:{i % 60:04}" for i in range(len(kept))]


def test_a_disk_that_is_full_from_the_start_leaves_nothing_to_go_on_from(tmp_path: Path) -> None:
    def full() -> Iterator[pa.RecordBatch]:
        yield from ()
        raise OSError(28, "No space left on device")

    with pytest.raises(CannotWrite, match="No space left") as caught:
        run(tmp_path / "m.parquet", full())
    assert "--resume" not in caught.value.hint
