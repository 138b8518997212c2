"""Decisions on their way from the App into the ledger and the manifest, whatever is killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ferdata import manifest
from ferdata.manifest import Manifest
from ferdata.reviewing import ledger
from ferdata.reviewing.fiftyone import decide
from ferdata.steps.pull import pull
from tests.conftest import Ran, make_rows, metadata_of
from tests.reviewing.fiftyone.loaded import ROWS, annotate, ids, load, shown


def test_operators_and_the_annotate_tab_come_back_with_who_when_and_why(fo: Any, made: Path) -> None:
    load(made)
    decide.decide(shown(fo, made), ids(fo, made, 0, 1), "disgust", note="nose")
    decide.decide(shown(fo, made), ids(fo, made, 2), None)
    decide.decide(shown(fo, made), ids(fo, made, 3), "not_a_face")
    annotate(fo, made, 4, "can't tell")
    assert decide.waiting(shown(fo, made)) == 4  # pictures: two of the rows show the same one
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


KILLED = """
import os, sys
from pathlib import Path
from ferdata.reviewing import ledger
from ferdata.reviewing.fiftyone import decide, to_ledger
from ferdata.steps.pull import pull
where, count = sys.argv[2], int(sys.argv[3])
def stop(*given, **named):
    os.kill(os.getpid(), 9)
if where == "before the ledger": ledger.append = stop
if where == "after the ledger": to_ledger.pulled = stop
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
