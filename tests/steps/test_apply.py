"""A ledger's decisions on any manifest that holds the same pictures."""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ferdata import images
from ferdata.errors import AlreadyExists, BadOption, BrokenSource
from ferdata.manifest import Manifest
from ferdata.reviewing import ledger
from ferdata.reviewing.apply_decisions import not_applied
from ferdata.reviewing.ledger import Decision
from ferdata.steps.apply import apply
from ferdata.steps.ingest import ingest
from ferdata.steps.validate import validate
from tests.conftest import MakeManifest, Ran, picture


def decide(path: Path, seed: int, new: str | None, by: str = "anna", minute: int = 0, **more: Any) -> Decision:
    """Append a decision on the picture of `seed` to the ledger `path`."""
    made = Decision(
        id=f"{by}{seed}{new}{minute}", pixel_hash=images.pixel_hash(picture(seed)), sample_id=f"made:{seed:04}",
        old="anger", new=new, by=by, at=f"2026-01-01T00:{minute:02}:00+00:00", **more,
    )  # fmt: skip
    with ledger.locked(path):
        ledger.append(path, [made])
    return made


def column(path: Path, name: str) -> list[Any]:
    return list(Manifest(path).table(name)[name].to_pylist())


def test_decisions_fill_the_columns_that_review_owns(make_manifest: MakeManifest) -> None:
    made = make_manifest(*({"native_label": "anger"} for _ in range(4)))
    path = ledger.beside(made)
    decide(path, 1, "fear", note="brows up")
    decide(path, 2, "not_a_face")
    decide(path, 3, "anger", status="confirmed")
    done = apply(made)
    assert column(made, "target") == ["anger", "fear", None, "anger"]
    assert column(made, "reviewed_label") == [None, "fear", "not_a_face", "anger"]
    assert column(made, "label") == ["anger"] * 4  # what was published stays
    assert column(made, "review")[1] == {
        "by": "anna", "at": "2026-01-01T00:00:00+00:00", "note": "brows up", "status": "relabelled",
    }  # fmt: skip
    assert (done.reviewed, done.changed, dict(done.without), done.written) == (3, 2, {"not_a_face": 1}, True)
    assert validate(made) == 4  # nothing is raised


def test_applying_again_changes_not_a_byte(make_manifest: MakeManifest) -> None:
    made = make_manifest({"native_label": "anger"}, {"native_label": "fear"})
    decide(ledger.beside(made), 0, "sadness")
    first = apply(made)
    before = made.read_bytes()
    again = apply(made)
    assert (again.written, again.fingerprint) == (False, first.fingerprint)
    assert made.read_bytes() == before


def test_a_ledger_that_grows_is_one_review_in_the_lineage(make_manifest: MakeManifest) -> None:
    made = make_manifest({"native_label": "anger"}, {"native_label": "fear"})
    first = Manifest(made).fingerprint
    for minute, new in enumerate(("sadness", "fear", "neutral")):
        decide(ledger.beside(made), 0, new, minute=minute)
        apply(made)
    (record,) = Manifest(made).metadata["lineage"]
    assert (record["step"], record["decisions"], record["inputs"][0]["fingerprint"]) == ("review", 3, first)


def test_what_a_reviewed_manifest_is_made_of_is_shown(make_manifest: MakeManifest, ferdata: Callable[..., Ran]) -> None:
    made = make_manifest({"native_label": "anger"}, {"native_label": "fear"})
    decide(ledger.beside(made), 0, "sadness")
    apply(made)
    (record,) = Manifest(made).metadata["lineage"]
    assert (record["rows_in"], record["rows_out"]) == (2, 2)
    ran = ferdata("show", made)
    assert ran.code == 0, ran
    assert "review ledger=['decisions.jsonl'] resolve=latest -> 2 rows" in ran.out


def test_a_decision_is_found_whether_a_dataset_gives_boxes_or_not(make_manifest: MakeManifest) -> None:
    """FER+ has one box per face, FER2013 none: of one face, and so they stay when they are merged."""
    box = {"face_box": [0.0, 0.0, 48.0, 48.0]}
    ferplus = {"dataset": "ferplus", "seed": 7, "native_label": "anger", **box}
    fer2013 = {"dataset": "fer2013", "seed": 7, "native_label": "fear"}
    other = {"dataset": "ferplus", "seed": 8, "native_label": "anger", **box}
    for name, rows, reviewed in (
        ("one", [ferplus], ["neutral"]),
        ("other", [fer2013], ["neutral"]),
        ("merged", [ferplus, fer2013, other, ferplus], ["neutral", "neutral", None, "neutral"]),
    ):
        made = make_manifest(*rows, name=name)
        if name == "one":
            decide(ledger.beside(made), 7, "neutral")
        apply(made)
        assert column(made, "reviewed_label") == reviewed, name


def test_of_a_photograph_of_several_faces_the_box_says_which(make_manifest: MakeManifest) -> None:
    left, right = ({"dataset": "expw", "seed": 7, "face_box": [x, 0.0, 9.0, 9.0]} for x in (0.0, 20.0))
    bare = {"dataset": "muxspace", "seed": 7}  # the same photograph, in a set that says nothing of its faces
    made = make_manifest(left, right, bare)
    decide(ledger.beside(made), 7, "fear", face="20.0,0.0,9.0,9.0")
    decide(ledger.beside(made), 7, "anger", minute=1)
    apply(made)
    assert column(made, "reviewed_label") == [None, "fear", "anger"]
    alone = make_manifest(right, name="alone")  # the other face was dropped
    apply(alone)
    assert column(alone, "reviewed_label") == ["fear"]


def test_rows_that_lack_an_undisputed_decision_are_counted(make_manifest: MakeManifest) -> None:
    made = make_manifest(*({"native_label": "anger"} for _ in range(4)), {"native_label": "fear", "seed": 0})
    path = ledger.beside(made)
    assert not_applied(Manifest(made), path) == 0  # there is no ledger
    for seed, new in ((0, "sadness"), (1, "anger"), (2, "fear")):
        decide(path, seed, new)
    decide(path, 2, "neutral", by="ben", minute=1)  # whose word stands is for `apply` to say
    assert not_applied(Manifest(made), path) == 3
    apply(made, resolve="majority")
    assert not_applied(Manifest(made), path) == 0
    decide(path, 1, "fear", minute=2)
    assert not_applied(Manifest(made), path) == 1  # another decision than the manifest has


def test_what_is_withdrawn_is_as_if_it_was_never_said(make_manifest: MakeManifest) -> None:
    made = make_manifest({"native_label": "anger"}, {"native_label": "fear"})
    before = Manifest(made).fingerprint
    said = decide(ledger.beside(made), 0, "sadness")
    assert apply(made).fingerprint != before
    with ledger.locked(ledger.beside(made)):
        ledger.append(ledger.beside(made), [replace(said, id="w", status="withdrawn", at="2026-01-02T00:00:00+00:00")])
    assert apply(made).fingerprint == before


def test_an_emotion_that_the_taxonomy_leaves_out_is_kept_and_has_no_target(tmp_path: Path) -> None:
    from ferdata import manifest
    from tests.conftest import make_rows, metadata_of

    made = tmp_path / "made.parquet"
    batch = make_rows([{"native_label": "anger"}], taxonomy="basic7")
    manifest.write(made, [batch], metadata_of(batch, taxonomy="basic7"))
    decide(ledger.beside(made), 0, "contempt")
    done = apply(made)
    assert dict(done.without) == {"contempt": 1}
    assert (column(made, "reviewed_label"), column(made, "target")) == (["contempt"], [None])


def test_every_row_with_the_same_pixels_is_corrected_whatever_its_dataset(make_manifest: MakeManifest) -> None:
    rows = [{"native_label": "anger", "seed": 7, "dataset": d} for d in ("one", "other")]
    made = make_manifest(*rows, {"native_label": "anger", "seed": 8})
    decide(ledger.beside(made), 7, "fear")
    assert apply(made).changed == 2
    assert column(made, "target") == ["fear", "fear", "anger"]


def test_a_mirrored_copy_is_another_picture(make_manifest: MakeManifest) -> None:
    made = make_manifest({"native_label": "anger", "seed": 7})
    mirrored = images.pixel_hash(np.ascontiguousarray(picture(7)[:, ::-1]))
    said = decide(ledger.beside(made), 7, "fear")
    ledger.beside(made).unlink()
    with ledger.locked(ledger.beside(made)):
        ledger.append(ledger.beside(made), [replace(said, pixel_hash=mirrored)])
    done = apply(made)
    assert (done.changed, done.elsewhere, done.written) == (0, 1, False)


def test_faces_of_one_photograph_are_told_apart_by_their_boxes(make_manifest: MakeManifest) -> None:
    rows = [{"native_label": "anger", "seed": 7, "face_box": box} for box in ([0, 0, 20, 20], [24, 0, 20, 20])]
    made = make_manifest(*rows)
    decide(ledger.beside(made), 7, "fear", face="24.0,0.0,20.0,20.0")
    decide(ledger.beside(made), 7, "sadness", minute=1)  # which face?
    done = apply(made)
    assert column(made, "target") == ["anger", "fear"]
    assert done.elsewhere == 1


def layouts_of_the_same_faces(folder: Path) -> tuple[Path, Path]:
    """The same twelve pictures, as a folder of PNG files and as a table of pixels in another container."""
    pngs, table = folder / "pngs", folder / "table"
    table.mkdir(parents=True)
    lines = [("image", "label")]
    for seed in range(12):
        emotion = ("happiness", "sadness", "anger")[seed % 3]
        (pngs / emotion).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(pngs / emotion / f"{seed}.png"), picture(seed))
        cv2.imwrite(str(table / f"face-{99 - seed}.bmp"), picture(seed))
        lines.append((f"face-{99 - seed}.bmp", emotion))
    with (table / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    return pngs, table


def test_the_ledger_survives_ingesting_another_layout(tmp_path: Path) -> None:
    pngs, table = layouts_of_the_same_faces(tmp_path)
    first = ingest("folder", root=pngs, out=tmp_path / "first.parquet").out
    decide(ledger.beside(first), 0, "fear")
    decide(ledger.beside(first), 5, "unknown")
    decide(ledger.beside(first), 7, "contempt", note="one corner")
    one = apply(first)
    second = ingest("csv", root=table, out=tmp_path / "second.parquet").out
    other = apply(second, ledger=[ledger.beside(first)], out=tmp_path / "corrected.parquet")
    assert (one.changed, other.changed, other.elsewhere) == (3, 3, 0)

    def decided(path: Path) -> dict[str, tuple[str | None, str | None]]:
        names = ("pixel_hash", "reviewed_label", "target")
        return {h: (r, t) for h, r, t in zip(*(column(path, n) for n in names), strict=True)}

    assert decided(first) == decided(other.out)
    assert fingerprint_of_target(first) == fingerprint_of_target(other.out)
    assert column(second, "reviewed_label") == [None] * 12  # an input is not touched


def fingerprint_of_target(path: Path) -> str:
    """The fingerprint of `target` alone, rows in the order of their pictures."""
    from ferdata.manifest.fingerprint import Fingerprint

    table = Manifest(path).table("pixel_hash", "target", "reviewed_label", "review").sort_by("pixel_hash")
    whole = Fingerprint()
    whole.update(table.combine_chunks().to_batches()[0])
    return whole.hexdigest()


def test_reviewers_at_odds_are_counted_and_resolved_as_asked(make_manifest: MakeManifest, tmp_path: Path) -> None:
    made = make_manifest(*({"native_label": "anger"} for _ in range(5)))
    anna, ben = tmp_path / "anna.jsonl", tmp_path / "ben.jsonl"
    for seed in range(4):
        decide(anna, seed, "fear" if seed % 2 else "sadness")
        decide(ben, seed, "fear", by="ben", minute=1)
    latest = apply(made, ledger=[anna, ben], out=tmp_path / "latest.parquet")
    assert column(latest.out, "target") == ["fear"] * 4 + ["anger"]
    assert (latest.disputed, latest.open, latest.agreement.share) == (2, (), 0.5)
    left = apply(made, ledger=[anna, ben], out=tmp_path / "left.parquet", resolve="majority")
    assert len(left.open) == 2
    assert column(left.out, "target") == ["anger", "fear", "anger", "fear", "anger"]
    asked = apply(
        made, ledger=[anna, ben], out=tmp_path / "asked.parquet", resolve="ask",
        ask=lambda dispute: ledger.end_dispute(dispute, "neutral", "eva"),
    )  # fmt: skip
    assert column(asked.out, "target") == ["neutral", "fear", "neutral", "fear", "anger"]
    assert [d.status for d in ledger.read(anna)].count("resolved") == 2  # the answers are kept


@pytest.mark.parametrize("rule", ["majority", "ask"])
def test_one_ledger_gives_one_manifest_whatever_was_applied_before(
    make_manifest: MakeManifest, tmp_path: Path, rule: str
) -> None:
    rows = [{"native_label": "anger"}, {"native_label": "fear"}]
    fresh, reviewed = make_manifest(*rows, name="fresh"), make_manifest(*rows, name="reviewed")
    said = tmp_path / "said.jsonl"
    decide(said, 0, "neutral")
    apply(reviewed, ledger=[said])
    assert column(reviewed, "target") == ["neutral", "fear"]
    decide(said, 0, "sadness", by="ben", minute=1)
    done = [apply(made, ledger=[said], resolve=rule) for made in (fresh, reviewed)]
    assert [len(d.open) for d in done] == [1, 1]
    assert done[0].fingerprint == done[1].fingerprint
    assert column(reviewed, "target") == ["anger", "fear"]  # as published, until somebody ends the dispute


def test_an_apply_into_another_manifest_leaves_nothing_beside_its_input(
    make_manifest: MakeManifest, tmp_path: Path
) -> None:
    made = make_manifest({"native_label": "anger"})
    said = tmp_path / "elsewhere" / "said.jsonl"
    decide(said, 0, "fear")
    before = sorted(p.name for p in made.parent.iterdir())
    apply(made, ledger=[said], out=said.parent / "out.parquet")
    assert sorted(p.name for p in made.parent.iterdir()) == before


@pytest.mark.parametrize("name", [".", "../parts/", "../../parent/parts"])
def test_the_ledger_of_a_manifest_in_parts_lies_beside_its_folder_whatever_it_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    from ferdata import manifest
    from tests.conftest import make_rows, metadata_of

    made, batch = tmp_path / "parent" / "parts", make_rows([{"native_label": "anger"}])
    manifest.write(made, [batch], metadata_of(batch))
    decide(tmp_path / "parent" / "decisions.jsonl", 0, "fear")
    monkeypatch.chdir(made)
    assert apply(name).changed == 1
    assert column(made, "target") == ["fear"]
    assert [p.name for p in made.iterdir()] == ["part-00000-of-00001.parquet"]


def test_apply_refuses_what_cannot_work(make_manifest: MakeManifest, tmp_path: Path) -> None:
    made = make_manifest({"native_label": "anger"})
    with pytest.raises(BadOption, match="no ledger"):
        apply(made)
    decide(ledger.beside(made), 0, "fear")
    with pytest.raises(AlreadyExists):
        apply(made, out=made)
    with pytest.raises(BadOption, match="dice"):
        apply(made, resolve="dice")
    ledger.beside(made).write_text("x\n")
    with pytest.raises(BrokenSource, match="jsonl:1"):
        apply(made)


def test_the_command_line_exits_with_3_where_reviewers_are_left_at_odds(
    ferdata: Callable[..., Ran], make_manifest: MakeManifest
) -> None:
    made = make_manifest({"native_label": "anger"}, {"native_label": "fear"})
    decide(ledger.beside(made), 0, "fear", note="\x1b[31m")
    decide(ledger.beside(made), 0, "sadness", by="ben", minute=1)
    ran = ferdata("review", "apply", made, "--resolve", "ask")
    assert ran.code == 3, ran
    assert "1 left open" in ran.out
    assert ferdata("review", "apply", made).code == 0
