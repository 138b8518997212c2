"""The ledger: appended, never rewritten, whatever is killed; and whose word stands."""

import errno
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferdata.errors import BadOption, BrokenSource, CannotWrite, UnknownLabel
from ferdata.reviewing import ledger
from ferdata.reviewing.ledger import Decision, canonical, resolve


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


def test_a_last_line_that_an_editor_left_without_an_end_is_a_decision_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    said = [decision(minute=m) for m in range(3)]
    write(path, *said[:2])
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    whole = path.read_bytes()
    assert ledger.read(path) == said[:2]
    assert write(path, said[1]) == []
    assert path.read_bytes() == whole
    assert write(path, said[2]) == [said[2]]
    assert ledger.read(path) == said
    assert path.read_bytes().startswith(whole + b"\n")


@pytest.mark.parametrize("tail", ["# anna's holidays", '{"id": "1"}', "5"])
def test_a_last_line_that_no_writer_of_ours_began_is_told_and_never_cut_off(tmp_path: Path, tail: str) -> None:
    path = tmp_path / "decisions.jsonl"
    write(path, decision())
    path.write_text(path.read_text() + tail)
    before = path.read_bytes()
    with pytest.raises(BrokenSource, match=":2 is no decision"):
        write(path, decision(minute=1))
    assert path.read_bytes() == before


def test_a_ledger_that_was_saved_on_windows_is_read_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    said = [decision(minute=m) for m in range(3)]
    write(path, *said[:2])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    write(path, said[2])
    assert ledger.read(path) == said


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("note", 5, "note is 5, where text belongs"),
        ("note", ["x"], r"note is \['x'\], where text"),
        ("face", 1.0, "face is 1.0, where text"),
        ("by", 7, "by is 7, where text"),
        ("status", 3, "status is 3, where text"),
        ("status", "denied", "status is 'denied', none of relabelled"),
        ("new", ["fear"], r"new is \['fear'\], none of neutral"),
        ("evidence", ["x"], r"evidence is \['x'\], where a table"),
        ("evidence", 0, "evidence is 0, where a table"),
        ("evidence", {"withdraws": ["a"]}, r"evidence.withdraws is \['a'\], where text"),
        ("evidence", {"resolves": 5}, "evidence.resolves is 5, where a list"),
        ("evidence", {"resolves": [["a"]]}, r"evidence.resolves is \[\['a'\]\], where a list"),
        ("note", "\ud83d", "half a character"),
        ("at", "yesterday", "yesterday"),
    ],
)
def test_a_field_that_holds_something_else_is_told_with_its_line(
    tmp_path: Path, field: str, value: object, message: str
) -> None:
    path = tmp_path / "decisions.jsonl"
    write(path, decision())
    path.write_text(path.read_text() + json.dumps(json.loads(path.read_text()) | {field: value}) + "\n")
    with pytest.raises(BrokenSource, match=f":2 is no decision: .*{message}"):
        ledger.read(path)


def test_what_another_program_wrote_as_null_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    write(path, decision())
    nothing = dict.fromkeys(("note", "face", "evidence"))
    path.write_text(json.dumps(json.loads(path.read_text()) | nothing) + "\n")
    assert ledger.read(path) == [decision()]


@pytest.mark.parametrize(
    "line", ["no json", "[" * 100_000, "[]", '{"id": "1"}',
    '{"id":"1","pixel_hash":"p","sample_id":"s","old":null,"new":"joy","by":"a","at":"2026-01-01T00:00:00+00:00"}',
    '{"id":"1","pixel_hash":"p","sample_id":"s","old":null,'
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
    with ledger.locked(path), pytest.raises(CannotWrite, match="another ferdata"), ledger.locked(path, wait=0.2):
        pass
    with ledger.locked(path, wait=0.2):
        pass


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EIO, errno.ESTALE])
def test_a_disk_that_cannot_lock_is_named_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    fcntl = pytest.importorskip("fcntl")

    def refused(*given: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refused)
    with (
        pytest.raises(CannotWrite, match=rf"Cannot lock .*decisions.jsonl: {os.strerror(code)}") as told,
        ledger.locked(tmp_path / "decisions.jsonl"),
    ):
        pass
    assert "disk" in told.value.hint


def test_a_lock_that_is_held_for_long_is_told_as_what_is_known_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network's disk may answer as if another held the lock: nobody can tell the two apart."""
    fcntl = pytest.importorskip("fcntl")

    def refused(*given: object) -> None:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(fcntl, "flock", refused)
    with (
        pytest.raises(CannotWrite, match=r"could not be locked within 0\.2 s: another ferdata is writing it") as told,
        ledger.locked(tmp_path / "decisions.jsonl", wait=0.2),
    ):
        pass
    assert "If none is running, this disk refuses locks" in told.value.hint


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
    assert (len(draw.open), draw.decided) == (1, {("p0", ""): None})
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


def test_a_decision_on_every_face_of_fer_plus_is_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    write(path, *(decision(picture=f"p{i}") for i in range(36_000)))
    assert len(resolve(ledger.read(path)).decided) == 36_000
