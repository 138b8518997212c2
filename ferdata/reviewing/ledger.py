"""The ledger of human decisions: one JSON line each, appended and never rewritten; who decided what, when and why.

A decision belongs to a picture, by its `pixel_hash`, not to a row or a file, so it outlives re-ingesting, merging and
publishing. What follows from a ledger is worked out here: which decision stands, and how far reviewers agree. No
image, manifest or FiftyOne is touched.
"""

import contextlib
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ferdata.errors import BadOption, BrokenSource, CannotWrite, UnknownLabel, choose_one, close_names
from ferdata.labels import ALIASES, EMOTIONS
from ferdata.running import locks
from ferdata.running.documents import LARGEST_LINE, parse_json
from ferdata.running.plain_file import read_plain
from ferdata.running.whole_file import sync_folder

NAME = "decisions.jsonl"
NOT_A_FACE, CANNOT_TELL = "not_a_face", "unknown"  # as VOTE_COLUMNS and REASONS spell them
DECISIONS = (*EMOTIONS, CANNOT_TELL, NOT_A_FACE)
WORDS: Mapping[str, str] = {e: e for e in EMOTIONS} | {CANNOT_TELL: "can't tell", NOT_A_FACE: "not a face"}
STATUSES = ("relabelled", "confirmed", "withdrawn", "resolved")
RULES = ("latest", "majority", "ask")
WAIT = 60.0  # seconds for another pull to finish
ELSEWHERE = "that has locks (--ledger, and --out of `review apply`, name files elsewhere)"

TEXT = ("id", "pixel_hash", "sample_id", "by", "at", "status", "note", "face")  # fields that hold nothing else

Key = tuple[str, str]  # pixel_hash, and the face's box where a photograph has several faces ("" otherwise)


@dataclass(frozen=True)
class Decision:
    """One person's word on one face.

    `old` and `new` are emotions, `not_a_face`, `unknown` (can't tell), or None: no label. `status` is one of STATUSES:
    `withdrawn` takes back what the same person decided (`evidence["withdraws"]`), `resolved` settles a dispute between
    others, whose decisions `evidence["resolves"]` lists. `face` is the box of the face where its photograph holds
    several. `at` is UTC, ISO 8601. `evidence` is what the reviewer had before them: votes, prediction, quality.
    """

    id: str
    pixel_hash: str
    sample_id: str
    old: str | None
    new: str | None
    by: str
    at: str
    status: str = "relabelled"
    note: str | None = None
    face: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """What the decision is about."""
        return self.pixel_hash, self.face


@dataclass(frozen=True)
class Dispute:
    """A picture on which reviewers differ: the decision of each that stands."""

    key: Key
    decisions: tuple[Decision, ...]


@dataclass(frozen=True)
class Standing:
    """What a ledger amounts to: the decision per picture, and the disputes left open.

    None decides for nothing: what was decided is withdrawn, or left open. Then the picture is as it was published,
    whatever was applied before.
    """

    decided: Mapping[Key, Decision | None]
    disputed: int
    open: tuple[Dispute, ...]


def now() -> str:
    """Return the time, UTC, as the ledger writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def identity(*parts: object) -> str:
    """Return an id that is the same for the same parts: what is taken up twice is written once."""
    return hashlib.blake2b(json.dumps([str(p) for p in parts]).encode(), digest_size=12).hexdigest()


def canonical(word: str | None, where: str = "") -> str | None:
    """Return the decision that `word` means: an emotion by any of its names, not a face, can't tell; None for "".

    Raises UnknownLabel.
    """
    spelled = (word or "").strip().lower()
    if not spelled:
        return None
    known = {shown: name for name, shown in WORDS.items()} | {name: name for name in DECISIONS} | dict(ALIASES)
    known |= {"cannot tell": CANNOT_TELL, "can not tell": CANNOT_TELL, "cant tell": CANNOT_TELL, "no face": NOT_A_FACE}
    if spelled in known:
        return known[spelled]
    close = close_names(spelled, known, 1)
    meant = f" Did you mean {WORDS[known[close[0]]]!r}?" if close else ""
    raise UnknownLabel(
        f"{word!r} is no decision{f' ({where})' if where else ''}.{meant}",
        f"Decide for one of {', '.join(WORDS.values())}.",
    )


def beside(manifest: Path) -> Path:
    """Return the ledger that belongs to a manifest: `decisions.jsonl` in its folder."""
    return manifest.parent / NAME


def read(path: Path) -> list[Decision]:
    """Return the decisions of a ledger, in the order they were written; none where there is no file.

    A last line that a killed writer cut short is passed over; it was never reported as written. A whole one counts,
    though an editor left it without an end. Raises BrokenSource for any other line that is no decision.
    """
    try:
        data = read_plain(path)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BrokenSource(f"Cannot read {path}: {error.strerror}.", "Check the path and your rights.") from None
    *lines, last = data.split(b"\n")
    if not _is_torn(last):
        lines.append(last)
    return [_parse(line, f"{path}:{number}") for number, line in enumerate(lines, 1) if line.strip()]


def _is_torn(last: bytes) -> bool:
    """Return whether what follows the last line's end is the beginning of a line of ours, and no more than that."""
    try:
        parse_json(last)
    except ValueError:
        return last.startswith(b"{")
    return False


def _parse(line: bytes, where: str) -> Decision:
    try:
        record = parse_json(line, LARGEST_LINE)
        # A null is what another program writes for nothing; of labels it has a meaning.
        known, labels = Decision.__dataclass_fields__, ("old", "new")
        decision = Decision(**{k: v for k, v in record.items() if k in known and (v is not None or k in labels)})
        _check(decision)
    except (ValueError, TypeError, AttributeError) as error:
        raise BrokenSource(
            f"{where} is no decision: {error}.",
            "Correct the line, restore the ledger from your version control, or take the line out and keep it aside.",
        ) from None
    return decision


def _check(decision: Decision) -> None:
    """Raise ValueError where a field holds what no decision holds, and what later steps would fail on."""
    for name in TEXT:
        value = getattr(decision, name)
        if value is None and name == "note":
            continue
        if not isinstance(value, str):
            raise ValueError(f"{name} is {value!r}, where text belongs")
        value.encode()  # half a character can be read, and not be written again
    for name, words in (("status", STATUSES), ("old", DECISIONS), ("new", DECISIONS)):
        value = getattr(decision, name)
        if value not in words and (name == "status" or value is not None):
            raise ValueError(f"{name} is {value!r}, none of {', '.join(words)}")
    datetime.fromisoformat(decision.at)
    evidence = decision.evidence
    if not isinstance(evidence, dict):
        raise ValueError(f"evidence is {evidence!r}, where a table belongs")
    withdraws = evidence.get("withdraws")
    if not isinstance(withdraws, str | None):
        raise ValueError(f"evidence.withdraws is {withdraws!r}, where text belongs")
    resolves = evidence.get("resolves", [])
    if not isinstance(resolves, list) or not all(isinstance(known, str) for known in resolves):
        raise ValueError(f"evidence.resolves is {resolves!r}, where a list of ids belongs")


@contextlib.contextmanager
def locked(path: Path, wait: float = WAIT) -> Iterator[None]:
    """Hold a ledger, or a manifest, for one writer, by a hidden file beside it, which stays.

    Raises CannotWrite where another holds it for longer than `wait` seconds, or where its disk has no locks.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = locks.take(path.with_name(f".{path.name}.lock"), wait)
    except OSError as error:
        raise CannotWrite(
            f"Cannot lock {path}: {error.strerror}.", f"It must be on a disk that you may write to and {ELSEWHERE}."
        ) from None
    if lock is None:
        raise CannotWrite(
            f"{path} could not be locked within {wait:g} s: another ferdata is writing it.",
            f"Wait until it has finished. If none is running, this disk refuses locks: use one {ELSEWHERE}.",
        )
    with lock:
        yield


def append(path: Path, decisions: Iterable[Decision]) -> list[Decision]:
    """Write those of `decisions` whose id the ledger does not have, to its end and to the disk; return them.

    To be called within `locked`. Half a line that a killed writer left is cut off first; a whole one gets its end.
    """
    known = {d.id for d in read(path)}
    fresh: dict[str, Decision] = {}
    for decision in decisions:
        if decision.id not in known:
            fresh.setdefault(decision.id, decision)
    if not fresh:
        return []
    text = "".join(json.dumps(_plain(d), ensure_ascii=False) + "\n" for d in fresh.values())
    new = not path.exists()
    try:
        with path.open("a+b") as file:
            held, last = _last_line(path)
            if _is_torn(last):
                file.truncate(held)
            elif last:
                text = "\n" + text
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        if new:
            sync_folder(path.parent)
    except OSError as error:
        raise CannotWrite(f"Cannot write {path}: {error.strerror}.", "See to rights and space; none is lost.") from None
    return list(fresh.values())


def _plain(decision: Decision) -> dict[str, Any]:
    record = dict(vars(decision))
    return {k: v for k, v in record.items() if v or k in ("old", "new")}  # no note, no face: no key


def _last_line(path: Path) -> tuple[int, bytes]:
    """Return the length of a ledger up to the last end of a line, and what follows there."""
    data = read_plain(path)
    whole = data.rfind(b"\n") + 1
    return whole, data[whole:]


def _moment(decision: Decision) -> float:
    at = datetime.fromisoformat(decision.at)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def by_reviewer(decisions: Iterable[Decision]) -> dict[Key, dict[str, Decision]]:
    """Return, per picture, the last decision of each reviewer that was not withdrawn, the latest reviewer last.

    A withdrawal takes back the decision that its `evidence["withdraws"]` names, or all of that reviewer's so far.
    """
    unique = {d.id: d for d in decisions}.values()
    withdrawn = {d.evidence.get("withdraws") for d in unique if d.status == "withdrawn"}
    by_picture: dict[Key, dict[str, Decision]] = {}
    for decision in sorted(unique, key=_moment):  # a stable sort: of one moment, the later line stands
        of = by_picture.setdefault(decision.key, {})
        if decision.status == "withdrawn":
            if not decision.evidence.get("withdraws"):
                of.pop(decision.by, None)
        elif decision.id not in withdrawn:
            of.pop(decision.by, None)  # the order of the dictionary is that of the last decisions
            of[decision.by] = decision
    return by_picture


def resolve(
    decisions: Iterable[Decision], how: str = "latest", ask: Callable[[Dispute], Decision | None] | None = None
) -> Standing:
    """Return which decision stands for each picture.

    Where reviewers differ, `latest` takes the last one, `majority` the label of most of them (a draw stays open), and
    `ask` calls `ask`, whose None leaves it open. A `resolved` decision stands as long as it knew all that differ.
    Raises BadOption.
    """
    if how not in RULES:
        raise BadOption(f"Disputes cannot be resolved by {how!r}.", choose_one(how, RULES))
    decided: dict[Key, Decision | None] = {}
    disputes: list[Dispute] = []
    disputed = 0
    for key, of in by_reviewer(decisions).items():
        standing = list(of.values())
        if len({d.new for d in standing}) <= 1:
            decided[key] = standing[-1] if standing else None
            continue
        disputed += 1
        dispute = Dispute(key, tuple(standing))
        chosen = _settled(dispute) or _choose(dispute, how, ask)
        decided[key] = chosen
        if chosen is None:
            disputes.append(dispute)
    return Standing(decided, disputed, tuple(disputes))


def _settled(dispute: Dispute) -> Decision | None:
    for decision in reversed(dispute.decisions):
        known = {*decision.evidence.get("resolves", ()), decision.id}
        if decision.status == "resolved" and all(d.id in known for d in dispute.decisions):
            return decision
    return None


def _choose(dispute: Dispute, how: str, ask: Callable[[Dispute], Decision | None] | None) -> Decision | None:
    if how == "latest":
        return dispute.decisions[-1]
    if how == "majority":
        ranked = Counter(d.new for d in dispute.decisions).most_common(2)
        if len(ranked) > 1 and ranked[0][1] == ranked[1][1]:
            return None
        return next(d for d in reversed(dispute.decisions) if d.new == ranked[0][0])
    return ask(dispute) if ask else None


def end_dispute(dispute: Dispute, new: str, by: str, note: str | None = None) -> Decision:
    """Return the decision that ends a dispute."""
    last, at = dispute.decisions[-1], now()
    known = [d.id for d in dispute.decisions]
    return replace(
        last, id=identity("resolved", *known, new, by, at), old=last.new, new=new, by=by, at=at, note=note,
        status="resolved", evidence={"resolves": known},
    )  # fmt: skip
