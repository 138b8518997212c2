"""Split, the step: a merged manifest decided anew; nothing else in it changes, and a frozen list gives it back."""

from pathlib import Path

import pytest

from ferdata.errors import AlreadyExists, BadOption
from ferdata.manifest import Manifest
from ferdata.schema import COLUMNS
from ferdata.steps.merge import merge
from ferdata.steps.split import split
from ferdata.steps.validate import validate
from tests.conftest import MakeManifest

DECIDED = ("split", "split_reason", "fold")


@pytest.fixture
def merged(make_manifest: MakeManifest, tmp_path: Path) -> Path:
    """Twelve people of five pictures each, and three pictures of nobody."""
    rows = [{"native_label": ("fear", "anger")[i % 2], "subject": f"p{i // 5}"} for i in range(60)]
    path = make_manifest(*rows, *[{"native_label": "fear"}] * 3)
    return merge(path, out=tmp_path / "merged.parquet", by=("pixels", "subject", "sequence")).out


def columns(path: Path, *names: str) -> list[dict]:
    return Manifest(path).table(*names).to_pylist()


def test_only_the_columns_of_a_split_change(merged: Path, tmp_path: Path) -> None:
    parted = split(merged, out=tmp_path / "s.parquet", split="0.5,0.25,0.25", folds=4, seed=3)
    assert validate(parted.out, images=True) == parted.rows == 63
    others = [c.name for c in COLUMNS if c.name not in (*DECIDED, "image")]
    assert columns(parted.out, *others) == columns(merged, *others)
    assert columns(parted.out, *DECIDED) != columns(merged, *DECIDED)


@pytest.mark.parametrize("folds", [2, 5, 12, "loso"])
def test_no_person_is_in_two_folds_or_on_two_sides(merged: Path, tmp_path: Path, folds: int | str) -> None:
    parted = split(merged, out=tmp_path / "s.parquet", split="0.5,0.25,0.25", folds=folds)
    where: dict = {}
    for row in columns(parted.out, "subject", "split", "fold"):
        if row["subject"]:
            where.setdefault(row["subject"], set()).add((row["split"], row["fold"]))
    assert {len(places) for places in where.values()} == {1}
    assert len(parted.decided.folds) == (12 if folds == "loso" else folds)
    assert (parted.decided.people, parted.decided.no_fold) == (12, 3 if folds == "loso" else 0)
    assert sum(f.rows for f in parted.decided.folds) == 63 - parted.decided.no_fold


def test_more_folds_than_groups_are_refused_before_anything_is_written(merged: Path, tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="15 groups"):
        split(merged, out=tmp_path / "s.parquet", folds=16)
    assert not (tmp_path / "s.parquet").exists()


def test_a_frozen_list_gives_the_same_split_again(merged: Path, tmp_path: Path) -> None:
    ids = tmp_path / "lists" / "ids.csv"
    first = split(merged, out=tmp_path / "a.parquet", split="0.6,0.2,0.2", folds=3, seed=5, freeze=ids)
    again = split(merged, out=tmp_path / "b.parquet", frozen=ids)
    assert columns(again.out, "split", "fold") == columns(first.out, "split", "fold")
    assert again.decided.listed is not None
    assert (again.decided.listed.missing, again.decided.listed.new) == (0, 0)
    assert again.decided.balance[0].rows == first.decided.balance[0].rows
    assert validate(again.out) == 63


def test_a_seed_beside_a_list_is_refused_since_nothing_is_drawn(merged: Path, tmp_path: Path) -> None:
    first = split(merged, out=tmp_path / "a.parquet", freeze=tmp_path / "ids.csv")
    assert first.decided.drawn
    with pytest.raises(BadOption, match="cannot be combined"):
        split(merged, out=tmp_path / "b.parquet", frozen=tmp_path / "ids.csv", seed=3)
    assert not split(merged, out=tmp_path / "b.parquet", frozen=tmp_path / "ids.csv").decided.drawn


def test_a_list_that_leaks_gives_way_and_what_it_does_not_name_has_no_split(merged: Path, tmp_path: Path) -> None:
    ids = [row["sample_id"] for row in columns(merged, "sample_id")]
    lines = ["sample_id,split,fold", f"{ids[0]},train,0", f"{ids[1]},test,1", f"{ids[5]},,", f"{ids[10]},val,1"]
    (tmp_path / "ids.csv").write_text("\n".join([*lines, "gone:1,test,0"]) + "\n")
    parted = split(merged, out=tmp_path / "s.parquet", frozen=tmp_path / "ids.csv")
    rows = columns(parted.out, *DECIDED)
    assert [rows[i]["split_reason"] for i in (0, 1, 2, 5, 10)] == [
        "group_in_test", None, "not_in_list", "left_out_by_list", None,
    ]  # fmt: skip
    assert [rows[i]["fold"] for i in (0, 1, 2, 10)] == [0, None, None, 1]  # one person, one fold
    listed = parted.decided.listed
    assert listed is not None
    assert (listed.missing, listed.missing_first, listed.new) == (1, ("gone:1",), 59)
    assert validate(parted.out) == 63


def test_an_unmerged_manifest_has_no_groups_to_keep(make_manifest: MakeManifest, tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="has no duplicate groups"):
        split(make_manifest({"native_label": "fear"}), out=tmp_path / "s.parquet")


def test_outputs_that_are_inputs_or_there_already_are_refused(merged: Path, tmp_path: Path) -> None:
    before = merged.read_bytes()
    with pytest.raises(AlreadyExists, match="is an input"):
        split(merged, out=merged, force=True)
    for taken in (merged, tmp_path / "s.parquet"):
        with pytest.raises(BadOption, match="is the path of a manifest"):
            split(merged, out=tmp_path / "s.parquet", freeze=taken, force=True)
    (tmp_path / "ids.csv").write_text("mine")
    with pytest.raises(AlreadyExists, match=r"ids\.csv"):
        split(merged, out=tmp_path / "s.parquet", freeze=tmp_path / "ids.csv")
    assert (merged.read_bytes(), (tmp_path / "ids.csv").read_text()) == (before, "mine")
    assert not (tmp_path / "s.parquet").exists()


def test_the_lineage_says_what_was_asked_and_of_what(merged: Path, tmp_path: Path) -> None:
    parted = split(merged, out=tmp_path / "deep" / "s.parquet", folds=3, cap=["fear=4"])
    (record,) = Manifest(parted.out).metadata["lineage"]
    assert (record["step"], record["options"]["folds"], record["options"]["cap"]) == ("split", "3", "fear=4")
    assert record["inputs"][0]["fingerprint"] == Manifest(merged).fingerprint
    assert record["without_split"]["capped"] == parted.decided.parts["made"].left_out["capped"]


def test_a_drawn_test_of_the_official_ones_size_is_not_called_the_official_one(
    ferdata, make_manifest: MakeManifest, tmp_path: Path
) -> None:
    rows = [{"native_label": "fear", "official_split": "test" if i < 10 else "train"} for i in range(100)]
    merged = merge(make_manifest(*rows), out=tmp_path / "m.parquet", by=("pixels",))
    assert merged.parts["made"].test_is_official
    drawn = ferdata("split", merged.out, "--split", "0.8,0.1,0.1", "-o", "s.parquet")
    assert "the official test set is complete" not in drawn.out, drawn
    assert not split(merged.out, out=tmp_path / "t.parquet", split="0.8,0.1,0.1").decided.parts["made"].test_is_official


def test_the_command_prints_folds_and_how_far_each_split_is_from_what_was_requested(ferdata, merged: Path) -> None:
    ran = ferdata("split", merged, "--split", "0.5,0.25,0.25", "--folds", "3", "-o", "s.parquet", "--freeze", "i.csv")
    assert ran.code == 0, ran
    assert "% of rows  % requested" in ran.out
    assert "Folds (12 people; 0 rows without a fold)" in ran.out
    assert "Next: ferdata train --manifest s.parquet --folds all" in ran.out
    again = ferdata("split", merged, "--frozen", "i.csv", "-o", "t.parquet")
    assert "Frozen list: 0 ids of the list are not in the manifest" in again.out, again
    refused = ferdata("split", merged, "--folds", "99", "-o", "u.parquet")
    assert (refused.code, refused.out) == (1, "")
    assert "Use --folds with a number up to 15" in refused.err
