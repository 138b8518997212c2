"""A manifest in FiftyOne and back, without a browser: what is shown, what is decided, what is pulled."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ferdata import manifest
from ferdata.errors import BadOption, ImagesMissing, NoDatabase
from ferdata.labels import COLOURS
from ferdata.manifest import Manifest
from ferdata.reviewing import ledger
from ferdata.reviewing.fiftyone import dataset as sets
from ferdata.reviewing.fiftyone import decide, fields, start
from ferdata.steps.pull import pull
from ferdata.steps.review import datasets, delete, review
from tests.conftest import MakeManifest, Ran, make_rows, metadata_of, picture
from tests.reviewing.fiftyone.conftest import Mongod

ROWS = [
    {"native_label": "anger", "votes": [0, 0, 0, 0, 9, 1, 0, 0, 0, 0], "official_split": "train"},
    {"native_label": "fear", "votes": [2, 2, 2, 2, 2, 0, 0, 0, 0, 0], "official_split": "train"},
    {"native_label": "fear", "votes": [0, 0, 0, 0, 0, 0, 10, 0, 0, 0], "official_split": "train", "seed": 9},
    {"native_label": "anger", "votes": [0, 0, 0, 0, 10, 0, 0, 0, 0, 0], "official_split": "test", "seed": 9},
    {"native_label": "sadness", "issues": ["suspect_label"], "label_quality": 0.1, "face_box": [4, 4, 40, 40]},
]


@pytest.fixture
def made(make_manifest: MakeManifest) -> Path:
    return make_manifest(*ROWS)


def shown(fo: Any, path: Path) -> Any:
    found = sets.of(fo, path)
    found.reload()
    return found


def load(path: Path, **options: Any) -> sets.Pushed:
    heard: list[sets.Pushed] = []
    review(path, app=False, announce=lambda pushed, url: heard.append(pushed), **options)
    return heard[0]


def ids(fo: Any, path: Path, *numbers: int) -> list[Any]:
    """Return the ids of the rows of that number."""
    found = shown(fo, path)
    held = dict(zip(*found.values(["sample_id", "_id"]), strict=True))
    return [held[f"made:{n:04}"] for n in numbers]


def truths(fo: Any, path: Path) -> dict[str, str | None]:
    found = shown(fo, path)
    return dict(zip(*found.values(["sample_id", "ground_truth.label"]), strict=True))


def annotate(fo: Any, path: Path, number: int, label: str | None) -> None:
    """Edit a sample as the Annotate tab does: the label, and the time of the change, nothing of ours."""
    sample = shown(fo, path)[ids(fo, path, number)[0]]
    sample["ground_truth"] = fo.Classification(label=label) if label else None
    sample.save()


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
    assert views["Copies"] in (["made:0002", "made:0003"], ["made:0003", "made:0002"])  # beside each other
    assert views["Torn votes"] == ["made:0001"]
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


def test_operators_and_the_annotate_tab_come_back_with_who_when_and_why(fo: Any, made: Path) -> None:
    load(made)
    decide.decide(shown(fo, made), ids(fo, made, 0, 1), "disgust", note="nose")
    decide.decide(shown(fo, made), ids(fo, made, 2), None)
    decide.decide(shown(fo, made), ids(fo, made, 3), "not_a_face")
    annotate(fo, made, 4, "can't tell")
    assert decide.waiting(shown(fo, made)) == 5
    result = pull(made)
    assert (result.new, result.relabelled, result.confirmed, result.stale) == (5, 4, 1, False)
    said = {d.sample_id: d for d in ledger.read(made.parent / "decisions.jsonl")}
    first = said["made:0000"]
    assert (first.old, first.new, first.status) == ("anger", "disgust", "relabelled")
    assert (first.by, first.note) == ("anna", "nose")
    assert first.evidence["votes"] == {"anger": 9, "disgust": 1}
    assert (said["made:0001"].old, said["made:0002"].status) == (None, "confirmed")
    assert (said["made:0004"].new, said["made:0004"].evidence["via"]) == ("unknown", "annotate")
    table = Manifest(made).table("target", "reviewed_label")
    assert table["reviewed_label"].to_pylist() == ["disgust", "disgust", "not_a_face", "not_a_face", "unknown"]
    assert table["target"].to_pylist() == ["disgust", "disgust", None, None, None]
    assert load(made).updated == 5  # the manifest is another one now
    assert len(shown(fo, made).load_saved_view("Reviewed")) == 5


def test_pulling_again_writes_nothing(fo: Any, made: Path) -> None:
    load(made)
    decide.decide(shown(fo, made), ids(fo, made, 0), "disgust")
    annotate(fo, made, 1, "fear")
    pull(made)
    before = (made.read_bytes(), (made.parent / "decisions.jsonl").read_bytes())
    again = pull(made)
    assert (again.new, again.stale) == (0, False)
    assert (made.read_bytes(), (made.parent / "decisions.jsonl").read_bytes()) == before


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


def states(fo: Any, path: Path) -> list[tuple[str, str]]:
    return list(zip(*shown(fo, path).sort_by("sample_id").values(["ground_truth.label", "decision"]), strict=True))


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


def test_an_unpulled_decision_stays_on_the_copies_too_when_the_manifest_is_another_one(fo: Any, made: Path) -> None:
    load(made)
    decide.decide(shown(fo, made), ids(fo, made, 2), "disgust")
    batch = make_rows([*ROWS, {"native_label": "anger"}])
    manifest.write(made, [batch], metadata_of(batch), force=True)
    load(made)
    assert states(fo, made)[2:4] == [("disgust", "relabelled")] * 2


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


def test_tiles_say_what_was_decided_and_why_a_label_is_in_doubt(fo: Any, made: Path, tmp_path: Path) -> None:
    predicted = pa.table({"sample_id": ["made:0004"], "predicted": ["anger"], "probabilities": [[0.25, 0.75]]})
    pq.write_table(predicted, tmp_path / "predictions.parquet")
    load(made, predictions=tmp_path / "predictions.parquet")
    found = shown(fo, made)
    why = dict(zip(*found.values(["sample_id", "why"]), strict=True))
    assert why["made:0004"] == ["suspect label", "model: anger 75%"]
    assert why["made:0001"] == ["2 neutral, 2 happiness"]
    assert why["made:0000"] == []
    assert found.app_config.active_fields.paths == ["ground_truth", "decision", "why", "label_reason"]
    assert found.load_saved_view("Suspect labels, not decided").values("sample_id") == ["made:0004"]
    decide.decide(found, ids(fo, made, 4), None)
    assert len(found.load_saved_view("Suspect labels, not decided")) == 0
    assert len(found.load_saved_view("Suspect labels")) == 1


def test_a_label_outside_the_taxonomy_stays_in_the_app_and_is_told(
    fo: Any, made: Path, ferdata: Callable[..., Ran]
) -> None:
    load(made)
    annotate(fo, made, 0, "hangry")
    annotate(fo, made, 1, None)  # nothing before, nothing now
    annotate(fo, made, 4, None)
    decide.decide(shown(fo, made), ids(fo, made, 3), "fear")
    os.environ["FERDATA_CACHE"] = str(made.parent / "cache")
    ran = ferdata("review", "pull", made)
    assert ran.code == 3, ran
    assert "made:0000: 'hangry' is no decision. Did you mean 'anger'?" in ran.err
    assert "made:0004: its label was removed" in ran.err
    assert "2 are left in the App" in ran.err
    assert [d.sample_id for d in ledger.read(made.parent / "decisions.jsonl")] == ["made:0003"]
    annotate(fo, made, 0, "angry")
    assert pull(made).new == 1


def test_a_stale_dataset_gives_its_decisions_and_says_so(fo: Any, made: Path, ferdata: Callable[..., Ran]) -> None:
    load(made)
    decide.decide(shown(fo, made), ids(fo, made, 0, 4), "disgust")
    batch = make_rows([*ROWS[:4], {"native_label": "fear", "seed": 50}])  # the fifth is another picture now
    manifest.write(made, [batch], metadata_of(batch), force=True)
    ran = ferdata("review", "pull", made)
    assert ran.code == 0, ran
    assert "FiftyOne shows an older version of this manifest: ferdata review" in ran.out
    assert "1 pictures, kept in the ledger" in ran.out
    assert Manifest(made).table("target")["target"].to_pylist()[::4] == ["disgust", "fear"]


def test_pictures_that_are_gone_are_counted_and_a_set_without_any_is_refused(
    fo: Any, tmp_path: Path, ferdata: Callable[..., Ran]
) -> None:
    from ferdata.images import encode_png
    from ferdata.steps.ingest import ingest

    root = tmp_path / "faces"
    for seed in range(4):
        (root / "fear").mkdir(parents=True, exist_ok=True)
        (root / "fear" / f"{seed}.png").write_bytes(encode_png(picture(seed)))
    made = ingest("folder", root=root, out=tmp_path / "m.parquet").out
    (root / "fear" / "0.png").unlink()
    first = load(made)
    assert (first.rows, first.shown, first.without_picture) == (4, 3, 1)
    filepath = shown(fo, made).first().filepath
    assert filepath.startswith(str(root.resolve()))  # where it lies
    for path in (root / "fear").iterdir():
        path.unlink()
    with pytest.raises(ImagesMissing, match="No picture of folder is below"):
        review(made, app=False)
    assert ferdata("review", made, "--no-app").code == 1


def test_embedded_pictures_are_written_to_the_cache_once(fo: Any, made: Path) -> None:
    load(made)
    filepath = Path(shown(fo, made).first().filepath)
    before = filepath.stat().st_mtime_ns
    decide.decide(shown(fo, made), ids(fo, made, 0), "disgust")
    pull(made)
    load(made)
    assert filepath.stat().st_mtime_ns == before
    assert "media" in filepath.parts


def test_predictions_and_features_are_shown(fo: Any, made: Path, tmp_path: Path) -> None:
    names = [f"made:{i:04}" for i in range(5)]
    predicted = pa.table({
        "sample_id": names, "predicted": ["fear", "anger", "fear", "anger", "anger"],
        "probabilities": [[0.9, 0.1]] * 4 + [[0.4, 0.6]],
    })  # fmt: skip
    pq.write_table(predicted, tmp_path / "predictions.parquet")
    vectors = np.random.default_rng(0).normal(size=(5, 16)).astype(np.float32)
    np.savez(tmp_path / "features.npz", sample_id=np.array(names), features=vectors)
    pushed = load(made, predictions=tmp_path / "predictions.parquet", features=tmp_path / "features.npz")
    found = shown(fo, made)
    first = found.match({"sample_id": "made:0000"}).first()
    assert (first.prediction.label, round(first.prediction.confidence, 3)) == ("fear", 0.9)
    assert pushed.findings["prediction disagrees"] == 2
    assert found.load_saved_view("Prediction disagrees").values("sample_id") == ["made:0000", "made:0004"]
    assert sorted(found.list_brain_runs()) == ["alike", "faces"]
    nearest = found.sort_by_similarity(first.id, brain_key="alike", k=5).values("sample_id")
    cosine = vectors @ vectors[0] / np.linalg.norm(vectors, axis=1)
    del cosine
    assert nearest[0] == "made:0000"
    assert found.load_brain_results("faces").points.shape == (5, 2)


@pytest.mark.parametrize("what", ["predictions", "features"])
def test_files_that_hold_something_else_are_told(fo: Any, made: Path, tmp_path: Path, what: str) -> None:
    with pytest.raises(BadOption, match="no file"):
        review(made, app=False, **{what: tmp_path / "none.parquet"})
    with pytest.raises(BadOption, match="holds no"):
        review(made, app=False, **{what: made})
    np.savez(tmp_path / "f.npz", sample_id=np.array(["made:0000"]), features=np.full((1, 4), np.nan))
    (tmp_path / "text.parquet").write_text("no")
    with pytest.raises(BadOption):
        review(made, app=False, **{what: tmp_path / ("f.npz" if what == "features" else "text.parquet")})


def test_what_is_in_fiftyone_is_listed_and_deleted(fo: Any, made: Path, ferdata: Callable[..., Ran]) -> None:
    name = load(made).name
    fo.Dataset("somebody-elses", persistent=True)
    decide.decide(shown(fo, made), ids(fo, made, 0), "disgust")
    (only,) = datasets()
    assert (only.name, only.samples, only.decided, only.waiting, only.there) == (name, 5, 1, 1, True)
    assert json.loads(ferdata("review", "--list", "--json").out)[0]["name"] == name
    with pytest.raises(BadOption, match="1 decisions that were not pulled"):
        delete(name)
    with pytest.raises(BadOption, match="no dataset"):
        delete("somebody-elses")
    assert ferdata("review", "--delete", name, "--force").code == 0
    assert fo.list_datasets() == ["somebody-elses"]
    with pytest.raises(BadOption, match="not in FiftyOne"):
        pull(made)


KILLED = """
import os, sys
from pathlib import Path
from ferdata.reviewing import ledger
from ferdata.reviewing.fiftyone import decide
from ferdata.steps.pull import pull
where, count = sys.argv[2], int(sys.argv[3])
def stop(*given, **named):
    os.kill(os.getpid(), 9)
if where == "before the ledger": ledger.append = stop
if where == "after the ledger": decide.pulled = stop
if where == "before the manifest":
    import ferdata.steps.pull as step
    step.apply = stop
if where == "while harvesting":
    original = decide.records
    decide._write.__globals__["records"] = lambda d: Half(original(d))
    class Half:
        def __init__(self, inner): self.inner = inner
        def __getattr__(self, name): return getattr(self.inner, name)
        def bulk_write(self, ops, **named):
            self.inner.bulk_write(ops[: len(ops) // 2 or 1], **named)
            stop()
print(pull(Path(sys.argv[1])).new)
"""


@pytest.mark.slow
@pytest.mark.parametrize("where", ["before the ledger", "after the ledger", "before the manifest", "while harvesting"])
def test_a_pull_that_is_killed_loses_no_decision_and_writes_none_twice(fo: Any, made: Path, where: str) -> None:
    load(made)
    decide.decide(shown(fo, made), ids(fo, made, 0, 1), "disgust")
    annotate(fo, made, 2, "surprise")
    annotate(fo, made, 4, "fear")
    killed = subprocess.run([sys.executable, "-c", KILLED, made, where, "0"], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    pull(made)
    said = ledger.read(made.parent / "decisions.jsonl")
    assert sorted(d.sample_id for d in said) == ["made:0000", "made:0001", "made:0002", "made:0004"]
    # The fourth row shows the picture of the third.
    assert Manifest(made).table("target")["target"].to_pylist() == ["disgust"] * 2 + ["surprise"] * 2 + ["fear"]
    assert pull(made).new == 0


@pytest.mark.slow
def test_two_pulls_at_once_write_each_decision_once(fo: Any, made: Path) -> None:
    load(made)
    decide.decide(shown(fo, made), ids(fo, made, 0, 1), "disgust")
    annotate(fo, made, 2, "surprise")
    command = [sys.executable, "-c", KILLED, str(made), "nowhere", "0"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    new = [int(p.communicate(timeout=120)[0]) for p in both]
    assert [p.returncode for p in both] == [0, 0]
    assert sum(new) == 3
    assert len(ledger.read(made.parent / "decisions.jsonl")) == 3


@pytest.mark.slow
def test_a_mongod_that_dies_in_mid_review_is_a_clear_word_and_loses_nothing(
    fo: Any, made: Path, mongod: Mongod
) -> None:
    """It dies while the App is open; what was decided is there when it is started again."""
    load(made)
    decide.decide(shown(fo, made), ids(fo, made, 0), "disgust")
    script = "import sys; from ferdata.cli import main; main()"
    arguments = ["review", str(made), "--no-browser", "--port", str(free_port())]
    running = subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    for line in running.stdout:
        if line.startswith("App"):
            break
    try:
        mongod.stop("kill")
        _, err = running.communicate(timeout=90)
        assert running.returncode == 1, err
        assert "database does not answer any more" in err
        assert "Run the same command again" in err
        assert "Traceback" not in err
        with pytest.raises(NoDatabase, match=r"No MongoDB answers at mongodb://127\.0\.0\.1"):
            start._connect(fo)
    finally:
        mongod.start()
    assert pull(made).new == 1


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_port_that_is_taken_is_told_before_the_work(made: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BadOption, match=f"Port {port}") as told:
            review(made, port=port)
    assert f"--port {port + 1}" in told.value.hint


def test_a_users_plugins_stay_beside_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = tmp_path / "theirs" / "mine"
    theirs.mkdir(parents=True)
    (theirs / "fiftyone.yml").write_text("name: mine\n")
    monkeypatch.setenv("FERDATA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FIFTYONE_PLUGINS_DIR", str(theirs.parent))
    folder = start.plugins()
    assert (folder / "yours" / "mine" / "fiftyone.yml").is_file()
    assert (folder / "ferdata-review" / "fiftyone.yml").is_file()
    monkeypatch.setenv("FIFTYONE_PLUGINS_DIR", str(folder))
    assert sorted(p.name for p in start.plugins().iterdir()) == ["ferdata-review", "yours"]


def test_the_plugin_gives_fiftyone_its_operators(fo: Any) -> None:
    import fiftyone.operators as foo

    names = {o.uri for o in foo.list_operators(builtin=False)}
    wanted = ("relabel", "confirm", "not_a_face", "cannot_tell", "undo", "left")
    assert {f"@ferdata/review/{name}" for name in wanted} <= names


@pytest.mark.parametrize(
    ("asked", "by_the_app", "meant"),
    [
        ({"open": 4}, None, [4]),
        ({"open": 4}, 3, [4]),  # the App is late with the next face
        ({"open": None}, 4, [0, 1]),  # and with its closing
        ({}, 4, [4]),  # out of the App's own list, which cannot say more
        ({}, None, [0, 1]),
    ],
)
def test_an_operator_decides_on_the_open_face_alone_else_on_the_selected_ones(
    fo: Any, made: Path, asked: dict[str, int | None], by_the_app: int | None, meant: list[int]
) -> None:
    from fiftyone.operators.executor import ExecutionContext, Executor

    from ferdata.reviewing.plugin import Confirm, Relabel, Undo

    load(made)
    name = [str(i) for i in ids(fo, made, 0, 1, 2, 3, 4)]
    params = {"label": "disgust"} | {key: n if n is None else name[n] for key, n in asked.items()}
    request = {
        "dataset_name": shown(fo, made).name, "params": params, "selected": name[:2],
        "current_sample": None if by_the_app is None else name[by_the_app],
    }  # fmt: skip

    def run(operator: Any) -> dict[str, Any]:
        ctx = ExecutionContext(request_params=request, executor=Executor())
        result = operator.execute(ctx)
        assert (result["face"] or {}).get("sample_id") == (f"made:{meant[0]:04}" if len(meant) == 1 else None)
        return {r["operator_uri"]: r["params"] for r in ctx.executor.to_json()["requests"]}

    who = "made:0004 is" if meant == [4] else "2 are"
    for operator, said in ((Relabel, "now disgust"), (Confirm, "now confirmed"), (Undo, "as before")):
        did = run(operator())
        assert did["notify"]["message"].startswith(f"{who} {said}. ")
        assert ("set_selected_samples" in did) == (meant == [0, 1])  # what was not decided on stays selected
    assert [n for n, word in truths(fo, made).items() if word == "disgust"] == [f"made:{n:04}" for n in meant]


def test_nothing_is_sent_anywhere(fo: Any) -> None:
    assert fo.config.do_not_track
    assert not fo.config.show_progress_bars
    assert fo.config.logging_level == "ERROR"
    assert fields.name_of(Path("a/m.parquet")) != fields.name_of(Path("b/m.parquet"))


@pytest.mark.slow
def test_ctrl_c_ends_the_app_and_the_mongod_that_it_started(made: Path, tmp_path: Path, mongod: Mongod) -> None:
    import psutil

    environment = {k: v for k, v in os.environ.items() if k not in ("FIFTYONE_DATABASE_URI", "FIFTYONE_PLUGINS_DIR")}
    environment |= {"FIFTYONE_DATABASE_DIR": str(tmp_path / "db"), "PYTHONUNBUFFERED": "1"}
    port = free_port()
    running = subprocess.Popen(
        [sys.executable, "-m", "ferdata.cli", "review", str(made), "--no-browser", "--port", str(port)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, env=environment,
    )  # fmt: skip
    assert running.stdout is not None
    try:
        for line in running.stdout:
            if line.startswith("App"):
                break
        with socket.create_connection(("127.0.0.1", port)):
            pass  # it listens
        addresses = {c.laddr.ip for c in psutil.net_connections("tcp") if c.laddr and c.laddr.port == port}
        assert addresses <= {"127.0.0.1"}
    finally:
        os.killpg(running.pid, signal.SIGINT)
        out, err = running.communicate(timeout=90)
    assert running.returncode == 0, out + err
    assert "Nothing was decided" in out
    assert "Traceback" not in err, err
    end = time.monotonic() + 30
    while left := [p for p in psutil.process_iter(["cmdline"]) if str(tmp_path / "db") in (p.info["cmdline"] or ())]:
        assert time.monotonic() < end, left
        time.sleep(0.2)
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", port), timeout=2):
        pass
