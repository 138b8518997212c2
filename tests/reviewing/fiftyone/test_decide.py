"""What is decided in the App: counted, shown on every copy, taken back."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ferdata.errors import BadOption
from ferdata.manifest import Manifest
from ferdata.reviewing import ledger
from ferdata.reviewing.fiftyone import decide
from ferdata.steps.pull import pull
from ferdata.steps.review import datasets, delete
from tests.conftest import MakeManifest
from tests.reviewing.fiftyone.loaded import annotate, ids, load, shown, states, truths


def test_undo_takes_back_step_by_step_and_after_a_pull_too(fo: Any, made: Path) -> None:
    load(made)
    before = Manifest(made).fingerprint
    found, one = shown(fo, made), ids(fo, made, 0)
    decide.decide(found, one, "disgust")
    decide.decide(found, one, "fear")
    assert decide.undo(found, one) == 1
    assert truths(fo, made)["made:0000"] == "disgust"
    pull(made)
    assert Manifest(made).table("target")["target"][0].as_py() == "disgust"
    assert decide.undo(found, one) == 1
    assert (truths(fo, made)["made:0000"], decide.undo(found, one)) == ("anger", 0)
    assert pull(made).withdrawn == 1
    assert Manifest(made).fingerprint == before
    assert pull(made).new == 0


def test_what_is_left_is_counted(fo: Any, made: Path) -> None:
    load(made)
    found = shown(fo, made)
    conflicts = found.load_saved_view("Conflicts")
    assert decide.left(found) == (5, 5)  # samples, as the App counts
    decide.decide(found, ids(fo, made, 0), "disgust")
    annotate(fo, made, 1, "fear")
    assert decide.left(found) == (3, 5)
    assert decide.left(found, conflicts) == (2, 2)
    assert len(found.load_saved_view("Not reviewed yet")) == 3
    annotate(fo, made, 2, "surprise")
    assert decide.left(found, conflicts) == (1, 2)  # at once, before it is harvested
    decide.harvest(found)
    assert decide.left(found, conflicts) == (0, 2)  # the fourth row shows the picture of the third
    assert decide.left(found) == (1, 5)


def test_what_waits_is_counted_in_pictures_however_often_they_were_decided_on(fo: Any, made: Path) -> None:
    load(made)
    found = shown(fo, made)
    for word in ("disgust", "fear", "sadness"):
        decide.decide(found, ids(fo, made, 2), word)
    assert decide.waiting(found) == 1
    annotate(fo, made, 2, "surprise")  # the picture of both samples, edited on each
    annotate(fo, made, 3, "anger")
    assert decide.waiting(found) == 1
    annotate(fo, made, 0, "surprise")
    assert decide.waiting(found) == 2


def test_the_last_decision_is_found_wherever_it_was_made(fo: Any, made: Path) -> None:
    """All that one key decided on is one step; what another reviewer decided is not this one's to take back so."""
    load(made)
    found, before = shown(fo, made), states(fo, made)
    assert decide.last_decided(found) == []
    decide.decide(found, ids(fo, made, 4), "fear", by="ben")
    decide.decide(found, ids(fo, made, 0, 1), "disgust")
    annotate(fo, made, 2, "surprise")
    assert decide.last_decided(found) == ids(fo, made, 2)
    assert decide.undo(found, decide.last_decided(found)) == 1
    assert sorted(decide.last_decided(found)) == sorted(ids(fo, made, 0, 1))
    assert decide.undo(found, decide.last_decided(found)) == 2
    assert states(fo, made)[:4] == before[:4]
    assert decide.last_decided(found) == []
    assert decide.last_decided(found, by="ben") == ids(fo, made, 4)


def test_what_is_suggested_is_accepted_in_one_step(fo: Any, made: Path, tmp_path: Path) -> None:
    said = {"sample_id": ["made:0000", "made:0004", "made:0002"], "predicted": ["fear", "anger", "fear"]}
    pq.write_table(pa.table(said), tmp_path / "said.parquet")
    load(made, predictions=tmp_path / "said.parquet")
    found = shown(fo, made)
    assert decide.accept(found, ids(fo, made, 2)) == (0, 1)  # the model agrees with the label
    assert decide.accept(found, ids(fo, made, 0, 2, 4), note="seen") == (2, 1)
    assert [states(fo, made)[n] for n in (0, 4)] == [("fear", "relabelled"), ("anger", "relabelled")]
    assert decide.undo(found, decide.last_decided(found)) == 2


def test_a_decision_on_a_picture_is_shown_on_its_copies_and_asked_once(fo: Any, made: Path) -> None:
    load(made)
    found = shown(fo, made)
    before = states(fo, made)
    assert decide.decide(found, ids(fo, made, 2, 3), "disgust") == (1, 0)
    assert states(fo, made)[2:4] == [("disgust", "relabelled")] * 2
    assert decide.decide(found, ids(fo, made, 3), None) == (1, 0)
    assert states(fo, made)[2:4] == [("disgust", "confirmed")] * 2
    assert decide.undo(found, ids(fo, made, 2)) == 1  # by way of the other copy
    assert states(fo, made)[2:4] == [("disgust", "relabelled")] * 2
    assert load(made).waiting == 1
    assert (decide.undo(found, ids(fo, made, 2, 3)), states(fo, made)) == (1, before)
    decide.decide(found, ids(fo, made, 3), "disgust")
    assert pull(made).new == 1
    assert Manifest(made).table("target")["target"].to_pylist()[2:4] == ["disgust"] * 2


def test_copies_that_differ_are_confirmed_one_by_one(fo: Any, made: Path) -> None:
    load(made)
    found = shown(fo, made)
    assert decide.decide(found, ids(fo, made, 2, 3), None) == (0, 1)
    assert decide.decide(found, ids(fo, made, 2), None) == (1, 0)
    assert states(fo, made)[2:4] == [("fear", "confirmed")] * 2  # as pull gives it to both


def test_an_edit_of_the_annotate_tab_goes_to_copies_once_it_is_settled(fo: Any, made: Path) -> None:
    load(made)
    found = shown(fo, made)
    annotate(fo, made, 2, "surprise")
    decide.harvest(found, settled=3600)
    assert (decide.edited(found), states(fo, made)[2][1]) == (1, None)
    decide.harvest(found)
    assert states(fo, made)[2:4] == [("surprise", "relabelled")] * 2
    assert (decide.edited(found), decide.waiting(found)) == (0, 1)
    assert pull(made, by="ben").new == 1
    assert [d.by for d in ledger.read(made.parent / "decisions.jsonl")] == ["ben"]


def test_what_takes_back_a_pulled_decision_waits_until_it_is_pulled(fo: Any, made: Path) -> None:
    name, before = load(made).name, Manifest(made).fingerprint
    decide.decide(shown(fo, made), ids(fo, made, 0, 2), "disgust")
    pull(made)
    found = shown(fo, made)
    assert decide.waiting(found) == 0
    assert decide.undo(found, ids(fo, made, 0, 2)) == 2
    was = states(fo, made)
    assert [was[n] for n in (0, 2, 3)] == [("anger", None), ("fear", None), ("anger", None)]
    assert decide.waiting(found) == 2
    again = load(made)  # the manifest has the decisions still, and the App does not
    assert (again.updated, again.waiting) == (5, 2)
    assert states(fo, made) == was
    assert [d.waiting for d in datasets()] == [2]
    with pytest.raises(BadOption, match="not pulled, on 2 of its pictures"):
        delete(name)
    assert pull(made).withdrawn == 2
    assert (Manifest(made).fingerprint, decide.waiting(shown(fo, made))) == (before, 0)
    assert pull(made).new == 0
    load(made)
    assert states(fo, made) == was
    delete(name)


def test_a_decision_is_taken_anew_after_it_was_taken_back(fo: Any, made: Path) -> None:
    load(made)
    found, one = shown(fo, made), ids(fo, made, 0)
    for word in ("disgust", "disgust", "fear"):
        decide.decide(found, one, word)
        pull(made)
        decide.undo(found, one)
        assert decide.waiting(found) == 1
    decide.decide(found, one, "sadness")
    assert decide.waiting(found) == 1  # one picture, of which the ledger lacks two lines
    assert pull(made).new == 2
    assert (decide.waiting(found), Manifest(made).table("target")["target"][0].as_py()) == (0, "sadness")


def test_a_decision_is_shown_on_its_copies_whether_their_dataset_boxes_faces_or_not(
    fo: Any, make_manifest: MakeManifest
) -> None:
    """FER+ has one box per face, FER2013 none; of a photograph of two faces each has its own decision."""
    box = {"native_label": "anger", "face_box": [0.0, 0.0, 48.0, 48.0]}
    left, right = (
        {"dataset": "expw", "native_label": "fear", "seed": 9, "face_box": [x, 0.0, 20.0, 20.0]} for x in (0.0, 24.0)
    )
    made = make_manifest(
        {"dataset": "ferplus", "seed": 7, **box}, {"dataset": "fer2013", "seed": 7, "native_label": "fear"},
        {"dataset": "ferplus", "seed": 8, **box}, left, right,
    )  # fmt: skip
    load(made)
    found = shown(fo, made)
    held = dict(zip(*found.values(["sample_id", "_id"]), strict=True))
    decide.decide(found, [held["ferplus:0000"], held["expw:0003"]], "disgust")

    def decided() -> dict[str, str | None]:
        return dict(zip(*shown(fo, made).values(["sample_id", "decision"]), strict=True))

    assert {name for name, word in decided().items() if word} == {"ferplus:0000", "fer2013:0001", "expw:0003"}
    before = decided()
    pull(made)
    table = Manifest(made).table("sample_id", "reviewed_label").to_pylist()
    assert {r["sample_id"] for r in table if r["reviewed_label"]} == {n for n, word in before.items() if word}
