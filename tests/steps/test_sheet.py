"""The sheet, for people without FiftyOne: out, filled in, and back."""

import csv
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ferdata.errors import BadOption, BrokenSource, UnknownLabel
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


def test_a_sheet_can_be_of_a_finding_and_runs_no_formula(make_manifest: MakeManifest, tmp_path: Path) -> None:
    made = make_manifest(
        {"native_label": "anger", "seed": 1}, {"native_label": "fear", "seed": 1},
        {"native_label": "sadness", "issues": ["suspect_label"]},
    )  # fmt: skip
    for only, ids in (("conflict", ["made:0000", "made:0001"]), ("suspect", ["made:0002"])):
        export(made, out=tmp_path / "s.csv", only=only, force=True)
        with (tmp_path / "s.csv").open(encoding="utf-8-sig", newline="") as file:
            assert [row["sample_id"] for row in csv.DictReader(file)] == ids
    from ferdata.reviewing.csv_sheet import _safe

    assert _safe("=cmd|' /C calc'!A0").startswith("'=")


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
        assert 'pip install "ferdata[review]"' in ran.err
