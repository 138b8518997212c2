"""The ledger: appended, never rewritten, whatever is killed; whose word stands, and how far reviewers agree."""

import errno
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferdata.errors import BadOption, BrokenSource, CannotWrite, UnknownLabel
from ferdata.reviewing import ledger
from ferdata.reviewing.ledger import Decision, agreement, canonical, resolve


def decision(
    new: str | None = "fear", by: str = "anna", picture: str = "p0", minute: int = 0, **more: object
) -> Decision:
    at = f"2026-01-01T00:{minute:02}:00+00:00"
    given = {"id": f"{by}-{picture}-{new}-{minute}", "sample_id": "made:0", "old": "anger"} | more
    return Decision(pixel_hash=picture, new=new, by=by, at=at, **given)  # type: ignore[arg-type]


def write(path: Path, *decisions: Decision) -> list[Decision]:
    with ledger.locked(path):
        return ledger.append(path, decisions)


def test_what_is_appended_is_read_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    first = decision(note="brows", face="1.0,2.0", evidence={"votes": {"fear": 3}})
    second = decision("unknown", picture="p1")
    assert write(path, first) == [first]
    assert write(path, first, second) == [second]
    assert ledger.read(path) == [first, second]
    assert len(path.read_text().splitlines()) == 2


def test_a_ledger_is_never_rewritten(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    write(path, decision())
    before = path.read_bytes()
    write(path, decision(minute=1), decision("sadness", minute=2))
    assert path.read_bytes().startswith(before)


def test_a_torn_last_line_is_passed_over_and_then_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    write(path, decision())
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"id": "half')
    assert ledger.read(path) == [decision()]
    second = decision(minute=1)
    assert write(path, second) == [second]
    assert ledger.read(path) == [decision(), second]
    assert b"half" not in path.read_bytes()


@pytest.mark.parametrize(
    "line", ["no json", "[]", '{"id": "1"}', '{"id":"1","pixel_hash":"p","sample_id":"s","old":null,"new":"joy",'
    '"by":"a","at":"2026-01-01T00:00:00+00:00"}', '{"id":"1","pixel_hash":"p","sample_id":"s","old":null,'
    '"new":"fear","by":"a","at":"yesterday"}'],
)  # fmt: skip
def test_a_broken_line_in_the_middle_is_told_with_its_number(tmp_path: Path, line: str) -> None:
    path = tmp_path / "decisions.jsonl"
    write(path, decision())
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(BrokenSource, match=":2 is no decision"):
        ledger.read(path)


def test_keys_of_a_later_version_are_no_error(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    write(path, decision())
    said = json.loads(path.read_text())
    path.write_text(json.dumps(said | {"mood": "good"}) + "\n")
    assert ledger.read(path) == [decision()]


APPEND = """
import sys
from pathlib import Path
from ferdata.reviewing import ledger
path, who, many = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
made = [ledger.Decision(f"{i}", f"p{i}", "s", None, "fear", who, "2026-01-01T00:00:00+00:00") for i in range(many)]
for i in range(0, many, 10):
    with ledger.locked(path):
        ledger.append(path, made[: i + 10])
    print(i, flush=True)
"""


def test_two_writers_at_once_write_each_decision_once(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    command = [sys.executable, "-c", APPEND, str(path)]
    both = [subprocess.Popen([*command, who, "300"], stdout=subprocess.DEVNULL) for who in ("anna", "ben")]
    assert [p.wait(timeout=120) for p in both] == [0, 0]
    assert sorted(int(d.id) for d in ledger.read(path)) == list(range(300))


def test_a_writer_killed_anywhere_loses_none_and_leaves_a_ledger_that_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    told = -1
    for _ in range(6):
        running = subprocess.Popen(
            [sys.executable, "-c", APPEND, str(path), "anna", "2000"], stdout=subprocess.PIPE, text=True
        )
        assert running.stdout is not None
        for line in running.stdout:
            told = max(told, int(line))
            if told % 150 == 140:
                break
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        running.stdout.close()
        ids = [int(d.id) for d in ledger.read(path)]
        assert ids == list(range(len(ids)))
        assert len(ids) >= told + 10  # what was reported as written is there


def test_a_ledger_that_another_holds_is_waited_for_and_then_told(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    with ledger.locked(path), pytest.raises(CannotWrite, match="Another ferdata"), ledger.locked(path, wait=0.2):
        pass
    with ledger.locked(path, wait=0.2):
        pass


def test_a_ledger_on_a_disk_without_locks_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")

    def refused(*given: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refused)
    with pytest.raises(CannotWrite, match="No locks available"), ledger.locked(tmp_path / "decisions.jsonl"):
        pass


def test_words_are_taken_as_people_write_them() -> None:
    assert [canonical(w) for w in ("Happy", " fear ", "can't tell", "Not a face", "unknown", "")] == [
        "happiness", "fear", "unknown", "not_a_face", "unknown", None,
    ]  # fmt: skip
    with pytest.raises(UnknownLabel, match="Did you mean 'happiness'"):
        canonical("hapiness")


def test_the_last_word_of_a_reviewer_stands() -> None:
    standing = resolve([decision("sadness", minute=5), decision("fear", minute=1)])
    assert standing.decided["p0", ""].new == "sadness"  # type: ignore[union-attr]
    assert standing.disputed == 0


def test_a_withdrawal_takes_back_only_ones_own() -> None:
    both = [decision("fear", "anna"), decision("anger", "ben", minute=1)]
    withdrawn = replace(both[1], id="w", status="withdrawn", at="2026-01-01T00:09:00+00:00")
    assert resolve([*both, withdrawn]).decided["p0", ""] == both[0]
    assert resolve([both[1], withdrawn]).decided == {("p0", ""): None}


def test_disputes_are_settled_by_the_latest_the_majority_or_by_asking() -> None:
    said = [decision("fear", "anna"), decision("anger", "ben", minute=1), decision("fear", "cleo", minute=2),
            decision("sadness", "dora", minute=3)]  # fmt: skip
    latest, majority = resolve(said), resolve(said, "majority")
    assert latest.decided["p0", ""].by == "dora"  # type: ignore[union-attr]
    assert majority.decided["p0", ""].new == "fear"  # type: ignore[union-attr]
    assert latest.disputed == majority.disputed == 1
    draw = resolve(said[:2], "majority")
    assert (len(draw.open), draw.decided) == (1, {})
    assert len(resolve(said, "ask").open) == 1
    answered = resolve(said, "ask", lambda dispute: ledger.end_dispute(dispute, "neutral", "eva"))
    assert answered.decided["p0", ""].new == "neutral"  # type: ignore[union-attr]
    with pytest.raises(BadOption):
        resolve(said, "dice")


def test_an_answer_holds_until_somebody_else_speaks() -> None:
    said = [decision("fear", "anna"), decision("anger", "ben", minute=1)]
    (dispute,) = resolve(said, "ask").open
    answer = ledger.end_dispute(dispute, "neutral", "eva")
    assert resolve([*said, answer], "ask").decided["p0", ""] == answer
    later = replace(decision("sadness", "cleo"), at="2099-01-01T00:00:00+00:00")
    assert len(resolve([*said, answer, later], "ask").open) == 1


TURNS = [("fear", "a"), ("anger", "b"), ("fear", "b"), ("neutral", "a")]


@given(st.permutations([decision(new, by, minute=m) for m, (new, by) in enumerate(TURNS)]))
def test_the_order_of_ledgers_does_not_matter(said: list[Decision]) -> None:
    assert resolve(said).decided["p0", ""].new == "neutral"  # type: ignore[union-attr]
    assert resolve([*said, *said]) == resolve(said)


def test_cohens_kappa_is_scikit_learns() -> None:
    from sklearn.metrics import cohen_kappa_score

    rng = np.random.default_rng(0)
    one = rng.choice(["fear", "anger", "sadness"], 200, p=[0.6, 0.3, 0.1])
    other = np.where(rng.random(200) < 0.7, one, rng.choice(["fear", "anger"], 200))
    said = [decision(str(a), "anna", f"p{i}") for i, a in enumerate(one)]
    said += [decision(str(b), "ben", f"p{i}", 1) for i, b in enumerate(other)]
    found = agreement(said)
    assert (found.measure, found.pictures, found.reviewers) == ("Cohen's kappa", 200, ("anna", "ben"))
    assert found.kappa == pytest.approx(cohen_kappa_score(one, other))
    assert found.share == pytest.approx((one == other).mean())


def test_fleiss_kappa_is_that_of_the_published_example() -> None:
    # Ten subjects, fourteen raters, five classes: the worked example of Fleiss' kappa, 0.210.
    table = [[0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1], [7, 7, 0, 0, 0],
             [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7]]  # fmt: skip
    classes = ledger.DECISIONS[:5]
    said = []
    for subject, row in enumerate(table):
        words = [c for c, n in zip(classes, row, strict=True) for _ in range(n)]
        said += [decision(w, f"r{i}", f"p{subject}") for i, w in enumerate(words)]
    found = agreement(said)
    assert found.measure == "Fleiss' kappa"
    assert found.kappa == pytest.approx(0.210, abs=5e-4)


def test_agreement_without_two_opinions_has_no_meaning() -> None:
    assert agreement([decision()]).share is None
    alike = agreement([decision("fear", w, p) for w in ("anna", "ben") for p in ("p0", "p1")])
    assert (alike.share, alike.kappa) == (1.0, None)


def test_a_decision_on_every_face_of_fer_plus_is_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    write(path, *(decision(picture=f"p{i}") for i in range(36_000)))
    assert len(resolve(ledger.read(path)).decided) == 36_000
