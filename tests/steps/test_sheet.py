"""The sheet, for people without FiftyOne: out, filled in, and back."""

import csv
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ferdata.errors import BadOption, BrokenSource, UnknownLabel
from ferdata.manifest import Manifest
from ferdata.reviewing import ledger
from ferdata.steps.sheet import export, import_sheet
from tests.conftest import MakeManifest, Ran
from tests.steps.test_apply import column


def fill(sheet: Path, answers: dict[str, str], note: str = "", delimiter: str = ",") -> None:
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["new"] = answers.get(row["sample_id"], "")
        row["note"] = note if row["new"] else ""
    with sheet.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_sheet_goes_out_and_comes_back(make_manifest: MakeManifest, tmp_path: Path, delimiter: str) -> None:
    made = make_manifest({"native_label": "anger"}, {"native_label": "fear"}, {"native_label": "sadness"})
    sheet = tmp_path / "review.csv"
    assert export(made, out=sheet).rows == 3
    fill(sheet, {"made:0000": "Happy", "made:0001": "fear", "made:0002": "not a face"}, "seen; twice", delimiter)
    done = import_sheet(made, sheet, by="anna")
    assert (done.filled, done.new) == (3, 3)
    assert column(made, "target") == ["happiness", "fear", None]
    assert [d.status for d in ledger.read(done.ledger)] == ["relabelled", "confirmed", "relabelled"]
    assert {d.note for d in ledger.read(done.ledger)} == {"seen; twice"}
    again = import_sheet(made, sheet, by="anna")
    assert (again.filled, again.new) == (3, 0)


def edit(sheet: Path, cells: dict[str, dict[str, str]]) -> None:
    """Write cells, by sample_id and column, into a sheet."""
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    with sheet.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | cells.get(row["sample_id"], {}) for row in rows)


@pytest.mark.parametrize("word", ["undo", "Undo ", "withdraw"])
def test_a_sheet_takes_back_what_its_reviewer_decided_and_nothing_of_anybody_elses(
    make_manifest: MakeManifest, tmp_path: Path, word: str
) -> None:
    made = make_manifest({"native_label": "anger"}, {"native_label": "fear"})
    before, sheet = Manifest(made).fingerprint, tmp_path / "review.csv"
    export(made, out=sheet)
    fill(sheet, {"made:0000": "sadness", "made:0001": "sadness"})
    import_sheet(made, sheet, by="anna")
    fill(sheet, {"made:0000": word, "made:0001": word}, note="too soon")
    other = import_sheet(made, sheet, by="ben")
    assert (other.filled, other.new) == (2, 0)
    assert column(made, "target") == ["sadness", "sadness"]
    fill(sheet, {"made:0000": word})
    taken = import_sheet(made, sheet, by="anna")
    assert (taken.filled, taken.new) == (1, 1)
    assert column(made, "target") == ["anger", "sadness"]
    last = ledger.read(taken.ledger)[-1]
    assert (last.status, last.old, last.new, last.by) == ("withdrawn", "sadness", "anger", "anna")
    assert import_sheet(made, sheet, by="anna").new == 0  # nothing is left to be taken back
    fill(sheet, {"made:0001": word})
    import_sheet(made, sheet, by="anna")
    assert Manifest(made).fingerprint == before


def test_what_a_sheet_did_not_add_is_counted(
    make_manifest: MakeManifest, tmp_path: Path, ferdata: Callable[..., Ran]
) -> None:
    made = make_manifest({"native_label": "anger"}, {"native_label": "fear"})
    sheet = tmp_path / "review.csv"
    assert "or undo, which takes back what you decided" in ferdata("review", "export", made, "-o", sheet).out
    fill(sheet, {"made:0000": "sadness", "made:0001": "undo"})
    ran = ferdata("review", "import", made, sheet, "--by", "anna")
    assert ran.code == 0, ran
    assert "new decisions  1" in ran.out
    assert "nothing new    1 lines: anna has already decided so, or has nothing to take back there" in ran.out


OTHERS = "0" * 32


@pytest.mark.parametrize(
    ("cells", "line"),
    [
        ({"made:0000": {"pixel_hash": OTHERS}}, "line 2: made:0000"),
        ({"made:0000": {"sample_id": "made:0001"}}, "line 2: made:0001"),  # a column sorted alone
        ({"made:0000": {"pixel_hash": "1.23457E+31"}}, "line 2: made:0000"),  # as a spreadsheet shows a long number
        ({"made:0000": {"sample_id": "gone:1", "pixel_hash": "1.23457E+31"}}, "line 2: gone:1"),
        ({"made:0002": {"face": "24.0,0.0,20.0,20.0"}}, "line 4: made:0002"),
        ({"made:0000": {"face": "24.0,0.0,20.0,20.0"}}, "line 2: made:0000"),
    ],
)
def test_a_line_of_two_faces_is_refused_and_nothing_is_taken(
    make_manifest: MakeManifest, tmp_path: Path, cells: dict[str, dict[str, str]], line: str
) -> None:
    left, right = ({"native_label": "anger", "seed": 7, "face_box": [x, 0, 20, 20]} for x in (0, 24))
    made = make_manifest({"native_label": "anger"}, {"native_label": "fear"}, left, right)
    sheet = tmp_path / "review.csv"
    export(made, out=sheet)
    fill(sheet, dict.fromkeys(("made:0000", "made:0001", "made:0002", "made:0003"), "sadness"))
    edit(sheet, cells)
    with pytest.raises(BrokenSource, match=f"1 lines are about two faces.*\n{line}") as told:
        import_sheet(made, sheet, by="anna")
    assert "Sort whole lines" in told.value.hint
    assert not ledger.beside(made).exists()


def test_a_line_of_a_face_that_only_the_ledger_will_know_is_taken(make_manifest: MakeManifest, tmp_path: Path) -> None:
    """A sheet of one manifest goes into a merge without that row, or with other faces of its photograph dropped."""
    left, right = ({"native_label": "anger", "seed": 7, "face_box": [x, 0, 20, 20]} for x in (0, 24))
    whole = make_manifest(left, right, {"native_label": "anger"}, name="whole")
    sheet = tmp_path / "review.csv"
    export(whole, out=sheet)
    fill(sheet, {"made:0001": "fear", "made:0002": "sadness"})
    part = make_manifest({**right, "sample_id": "made:0001"}, name="part")
    done = import_sheet(part, sheet, by="anna")
    assert (done.new, column(part, "target")) == (2, ["fear"])
    assert [d.face for d in ledger.read(done.ledger)] == ["24.0,0.0,20.0,20.0", ""]


def test_a_sheet_with_a_label_that_is_none_is_refused_whole(make_manifest: MakeManifest, tmp_path: Path) -> None:
    made = make_manifest({"native_label": "anger"}, {"native_label": "fear"})
    export(made, out=tmp_path / "s.csv")
    fill(tmp_path / "s.csv", {"made:0000": "fear", "made:0001": "hapiness"})
    with pytest.raises(UnknownLabel, match=r"line 3: 'hapiness' is no decision. Did you mean 'happiness'"):
        import_sheet(made, tmp_path / "s.csv")
    assert not ledger.beside(made).exists()


def test_a_sheet_of_something_else_is_told(make_manifest: MakeManifest, tmp_path: Path) -> None:
    made = make_manifest({"native_label": "anger"})
    with pytest.raises(BadOption, match="no file"):
        import_sheet(made, tmp_path / "none.csv")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(BrokenSource, match="no column new"):
        import_sheet(made, tmp_path / "other.csv")
    (tmp_path / "strange.csv").write_text("sample_id,new\nelse:1,fear\n")
    with pytest.raises(BadOption, match="line 2: else:1"):
        import_sheet(made, tmp_path / "strange.csv")
    (tmp_path / "latin.csv").write_bytes(b"sample_id,new\n\xe9,fear\n")
    with pytest.raises(BrokenSource, match="Cannot read"):
        import_sheet(made, tmp_path / "latin.csv")


def test_a_sheet_can_be_of_a_finding(make_manifest: MakeManifest, tmp_path: Path) -> None:
    made = make_manifest(
        {"native_label": "anger", "seed": 1}, {"native_label": "fear", "seed": 1},
        {"native_label": "sadness", "issues": ["suspect_label"]},
    )  # fmt: skip
    for only, ids in (("conflict", ["made:0000", "made:0001"]), ("suspect", ["made:0002"])):
        export(made, out=tmp_path / "s.csv", only=only, force=True)
        with (tmp_path / "s.csv").open(encoding="utf-8-sig", newline="") as file:
            assert [row["sample_id"] for row in csv.DictReader(file)] == ids


def test_a_sheet_runs_no_formula_and_comes_back_to_the_rows_it_was_made_of(
    make_manifest: MakeManifest, tmp_path: Path
) -> None:
    ids = ["=cmd|' /C calc'!A0", "'=1", "@SUM(1)", "+1", "-1", "\t=1", "made:plain"]
    rows = [{"sample_id": each, "native_label": "anger", "face_box": [-5.0, 1, 20, 20]} for each in ids]
    made = make_manifest(*rows)
    export(made, out=tmp_path / "s.csv")
    with (tmp_path / "s.csv").open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    assert not [cell for line in lines for cell in line.values() if cell[:1] in "=+-@\t" and cell]
    with (tmp_path / "s.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, lines[0])
        writer.writeheader()
        writer.writerows({**line, "new": "fear"} for line in lines)
    assert import_sheet(made, tmp_path / "s.csv", by="me").new == len(ids)
    assert sorted(d.sample_id for d in ledger.read(tmp_path / ledger.NAME)) == sorted(ids)


def test_everything_but_the_app_works_without_fiftyone(
    ferdata: Callable[..., Ran], make_manifest: MakeManifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_manifest({"native_label": "anger"})
    for name in ("fiftyone", "pymongo", "bson"):
        monkeypatch.setitem(sys.modules, name, None)  # importing it fails
    monkeypatch.setattr("ferdata.reviewing.fiftyone.start.installed", lambda: False)
    assert ferdata("review", "export", made, "-o", "s.csv").code == 0
    fill(Path("s.csv"), {"made:0000": "fear"})
    assert ferdata("review", "import", made, "s.csv").code == 0
    assert ferdata("review", "apply", made, "--json").code == 0
    for arguments in (["review", made], ["review", "pull", made], ["review", "--list"]):
        ran = ferdata(*arguments)
        assert ran.code == 1, ran
        assert "[review]'" in ran.err
