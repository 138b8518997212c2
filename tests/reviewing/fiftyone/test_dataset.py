"""Pushing a manifest into FiftyOne: what is shown, what opening again keeps, what is listed and deleted."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ferdata import manifest
from ferdata.errors import BadOption
from ferdata.labels import COLOURS
from ferdata.reviewing import ledger
from ferdata.reviewing.fiftyone import decide
from ferdata.steps.apply import apply
from ferdata.steps.pull import pull
from ferdata.steps.review import datasets, delete
from tests.conftest import Ran, make_rows, metadata_of
from tests.reviewing.fiftyone.loaded import ROWS, annotate, ids, load, shown, states, truths


def test_a_manifest_is_shown_with_its_fields_views_and_colours(fo: Any, made: Path) -> None:
    pushed = load(made)
    assert (pushed.rows, pushed.shown, pushed.added) == (5, 5, 5)
    found = shown(fo, made)
    sample = found.match({"sample_id": "made:0000"}).first()
    assert (sample.ground_truth.label, sample.target, sample.native_label) == ("anger", "anger", "anger")
    assert (sample.votes.anger, sample.vote_share, sample.official_split) == (9, 0.9, "train")
    assert sample.metadata.width == 48
    assert Path(sample.filepath).read_bytes()[:4] == b"\x89PNG"
    views = {name: found.load_saved_view(name).values("sample_id") for name in found.list_saved_views()}
    assert views["Suspect labels"] == ["made:0004"]
    assert sorted(views["Conflicts"]) == ["made:0002", "made:0003"]
    assert sorted(views["Leaks"]) == ["made:0002", "made:0003"]
    assert views["Duplicates"] in (["made:0002", "made:0003"], ["made:0003", "made:0002"])  # beside each other
    assert views["Low-agreement votes"] == ["made:0001"]
    assert views["Class: sadness"] == ["made:0004"]
    assert len(views["Not reviewed yet"]) == 5
    assert views["Reviewed"] == []
    (scheme,) = [f for f in found.app_config.color_scheme.fields if f["path"] == "ground_truth"]
    given = {c["value"]: c["color"] for c in scheme["valueColors"]}
    assert {e: given[e] for e in COLOURS} == COLOURS
    (schema,) = found.label_schemas.values()
    assert schema["classes"] == [*COLOURS, "can't tell", "not a face"]
    assert found.active_label_schemas == ["ground_truth"]


def test_a_document_of_ours_is_what_fiftyone_itself_would_write(fo: Any, made: Path) -> None:
    load(made)
    found = shown(fo, made)
    ours = found._sample_collection.find_one({"sample_id": "made:0000"})
    sample = found.match({"sample_id": "made:0000"}).first()
    copy = fo.Dataset(persistent=False)
    copy.add_sample(sample.copy())
    theirs = copy._sample_collection.find_one({})

    def form(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: form(v) for k, v in sorted(value.items()) if v is not None}
        return type(value).__name__

    assert form(ours) == form(theirs)


def test_tiles_say_what_was_decided_and_why_a_label_is_in_doubt(fo: Any, made: Path, tmp_path: Path) -> None:
    predicted = pa.table({"sample_id": ["made:0004"], "predicted": ["anger"], "probabilities": [[0.25, 0.75]]})
    pq.write_table(predicted, tmp_path / "predictions.parquet")
    load(made, predictions=tmp_path / "predictions.parquet")
    found = shown(fo, made)
    why = dict(zip(*found.values(["sample_id", "why"]), strict=True))
    assert why["made:0004"] == ["\u2192 anger 75%"]
    assert why["made:0001"] == ["2 neutral, 2 happiness"]
    assert why["made:0002"] == ["also labelled anger", "10 fear"]
    assert why["made:0000"] == []
    assert found.app_config.active_fields.paths == ["ground_truth", "decision", "why", "image_issues", "label_reason"]
    assert found.load_saved_view("Suspect labels, not decided").values("sample_id") == ["made:0004"]
    decide.decide(found, ids(fo, made, 4), None)
    assert len(found.load_saved_view("Suspect labels, not decided")) == 0
    assert len(found.load_saved_view("Suspect labels")) == 1


def test_opening_again_updates_and_does_not_duplicate(fo: Any, made: Path) -> None:
    load(made)
    again = load(made)
    assert (again.shown, again.added, again.updated) == (5, 0, 0)
    found = shown(fo, made)
    sample = found.match({"sample_id": "made:0001"}).first()
    sample.tags.append("mine")
    sample.save()
    changed = [{**ROWS[0], "native_label": "fear", "votes": None}, *ROWS[1:4], {"native_label": "anger", "seed": 77,
               "sample_id": "made:0099"}]  # fmt: skip
    batch = make_rows(changed)
    manifest.write(made, [batch], metadata_of(batch), force=True)
    third = load(made)
    assert (third.shown, third.added, third.updated, third.removed) == (5, 1, 4, 1)
    assert truths(fo, made)["made:0000"] == "fear"
    assert shown(fo, made).match({"sample_id": "made:0001"}).first().tags == ["mine"]  # what the user did stays


def test_opening_again_keeps_what_was_not_pulled(fo: Any, made: Path) -> None:
    load(made)
    decide.decide(shown(fo, made), ids(fo, made, 0), "disgust")
    annotate(fo, made, 1, "surprise")
    batch = make_rows([*ROWS, {"native_label": "anger"}])
    manifest.write(made, [batch], metadata_of(batch), force=True)
    pushed = load(made)
    assert (pushed.added, pushed.waiting) == (1, 2)
    assert [truths(fo, made)[f"made:000{n}"] for n in (0, 1)] == ["disgust", "surprise"]
    assert pull(made).new == 2


def test_an_unpulled_decision_stays_on_the_copies_too_when_the_manifest_is_another_one(fo: Any, made: Path) -> None:
    load(made)
    decide.decide(shown(fo, made), ids(fo, made, 2), "disgust")
    batch = make_rows([*ROWS, {"native_label": "anger"}])
    manifest.write(made, [batch], metadata_of(batch), force=True)
    load(made)
    assert states(fo, made)[2:4] == [("disgust", "relabelled")] * 2


def test_what_is_in_fiftyone_is_listed_and_deleted(fo: Any, made: Path, ferdata: Callable[..., Ran]) -> None:
    name = load(made).name
    fo.Dataset("somebody-elses", persistent=True)
    decide.decide(shown(fo, made), ids(fo, made, 0), "disgust")
    (only,) = datasets()
    assert (only.name, only.samples, only.decided, only.waiting, only.there) == (name, 5, 1, 1, True)
    assert json.loads(ferdata("review", "--list", "--json").out)[0]["name"] == name
    with pytest.raises(BadOption, match="not pulled, on 1 of its pictures"):
        delete(name)
    with pytest.raises(BadOption, match="no dataset"):
        delete("somebody-elses")
    assert ferdata("review", "--delete", name, "--force").code == 0
    assert fo.list_datasets() == ["somebody-elses"]
    with pytest.raises(BadOption, match="not in FiftyOne"):
        pull(made)


def test_a_manifest_in_parts_is_listed_as_there_until_it_is_gone(fo: Any, tmp_path: Path) -> None:
    batch = make_rows(ROWS)
    made = tmp_path / "parts"
    manifest.write(made, [batch], metadata_of(batch))
    load(made)
    assert [d.there for d in datasets()] == [True]
    decide.decide(shown(fo, made), ids(fo, made, 0), "disgust")
    pull(made)
    assert [d.there for d in datasets()] == [True]
    shutil.rmtree(made)
    assert [d.there for d in datasets()] == [False]


def test_decisions_that_a_manifest_made_anew_has_lost_are_told_when_it_is_opened(
    fo: Any, made: Path, ferdata: Callable[..., Ran]
) -> None:
    load(made)
    decide.decide(shown(fo, made), ids(fo, made, 0, 2), "disgust")  # the fourth row shows the picture of the third
    pull(made)
    assert load(made).not_applied == 0
    batch = make_rows(ROWS)
    manifest.write(made, [batch], metadata_of(batch), force=True)  # as `ingest --force` does
    assert load(made).not_applied == 3
    ran = ferdata("review", made, "--no-app")
    assert "not applied" in ran.out
    assert f"3 rows lack what the ledger says of them: ferdata review apply {made}" in ran.out
    apply(made)
    assert load(made).not_applied == 0


def test_what_is_deleted_by_force_is_counted(fo: Any, made: Path, ferdata: Callable[..., Ran]) -> None:
    name = load(made).name
    decide.decide(shown(fo, made), ids(fo, made, 0, 1), "disgust")
    pull(made)
    decide.undo(shown(fo, made), ids(fo, made, 0))
    annotate(fo, made, 4, "fear")
    ran = ferdata("review", "--delete", name, "--force")
    assert ran.code == 0, ran
    assert f"{name}: 5 samples; decisions that were not pulled, on 2 of its pictures, are lost" in ran.out
    assert [d.new for d in ledger.read(made.parent / "decisions.jsonl")] == ["disgust", "disgust"]  # it stays
    name = load(made).name
    assert json.loads(ferdata("review", "--delete", name, "--json").out) == {"deleted": name, "samples": 5, "lost": 0}
