"""What is decided in the App: counted, shown on every copy, taken back."""

from pathlib import Path
from typing import Any

from ferdata.manifest import Manifest
from ferdata.reviewing import ledger
from ferdata.reviewing.fiftyone import decide
from ferdata.steps.pull import pull
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
    assert decide.left(found) == (4, 4)  # the fourth row shows the picture of the third
    decide.decide(found, ids(fo, made, 0), "disgust")
    annotate(fo, made, 1, "fear")
    assert decide.left(found) == (2, 4)
    assert decide.left(found, conflicts) == (1, 1)
    assert len(found.load_saved_view("Not reviewed yet")) == 3
    annotate(fo, made, 2, "surprise")
    assert decide.left(found, conflicts) == (0, 1)  # at once, before it is harvested
    assert decide.left(found) == (1, 4)


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
