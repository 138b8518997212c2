"""Every command that writes, killed at random moments: nothing half-written, and the next run ends as undisturbed."""

import hashlib
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ferdata.cli import run as command_line
from ferdata.manifest import Manifest
from tests.robust import invariants
from tests.robust.child import DONE, Ended, in_child, killed
from tests.robust.extent import cases, chance, record, report
from tests.robust.made import TINY, Made
from tests.robust.snapshot import remove

pytestmark = pytest.mark.slow
TRAIN = [word for name, value in TINY.items() for word in (f"--{name}", value)]


@dataclass(frozen=True)
class Command:
    """A command line, and the name of what it writes in the folder where it runs; `again` is added the second time."""

    words: Callable[[Made, Path], list[object]]
    out: str
    again: tuple[str, ...] = ()
    needs: str = "made"
    before: Callable[[Made, Path], object] = lambda all_, here: None


def _with_ledger(all_: Made, here: Path) -> None:
    shutil.copy(all_.whole, here / "m.parquet")
    shutil.copy(all_.ledger, here / "decisions.jsonl")


COMMANDS = {
    "ingest": Command(
        lambda a, o: ["ingest", "ferplus", "--root", a.faces, "-o", o / "m.parquet"], "m.parquet", ("--resume",)
    ),
    "ingest a folder": Command(
        lambda a, o: ["ingest", "ferplus", "--root", a.faces, "--images", "embed", "-o", o / "m"], "m", ("--resume",)
    ),
    "merge": Command(lambda a, o: ["merge", a.whole, "-o", o / "m.parquet"], "m.parquet"),
    "split": Command(lambda a, o: ["split", a.merged, "--folds", 5, "-o", o / "m.parquet"], "m.parquet"),
    "align": Command(
        lambda a, o: ["align", a.whole, "--detector", "haar", "-o", o / "m.parquet"], "m.parquet", ("--resume",)
    ),
    "audit": Command(lambda a, o: ["audit", a.merged, "-o", o / "m.parquet", "--force"], "m.parquet"),
    "pack": Command(lambda a, o: ["pack", a.merged, "--size", 48], "cache"),
    "share": Command(lambda a, o: ["share", a.merged, "-o", o / "s.json"], "s.json"),
    "review export": Command(lambda a, o: ["review", "export", a.whole, "-o", o / "r.csv"], "r.csv"),
    "review apply": Command(lambda a, o: ["review", "apply", o / "m.parquet"], "m.parquet", before=_with_ledger),
    "review import": Command(
        lambda a, o: ["review", "import", o / "m.parquet", a.sheet, "--by", "b"], "m.parquet", before=_with_ledger
    ),
    "train": Command(
        lambda a, o: ["train", "--manifest", a.merged, "-o", o / "run", *TRAIN], "run", ("--resume",), "trained"
    ),
    "evaluate": Command(
        lambda a, o: ["evaluate", a.run, "--save-predictions", o / "p.parquet", "--device", "cpu"],
        "p.parquet",
        needs="trained",
    ),
    "export": Command(lambda a, o: ["export", a.run, "-o", o / "m.onnx"], "m.onnx", needs="trained"),
}


def content_of(path: Path) -> str | None:
    """Return what stands under a name, in a form that is the same for the same content; None where nothing does."""
    if not path.exists():
        return None
    if path.name == "cache":
        return " ".join(sorted(_hash(p) for p in path.glob("pack/[!.]*/pixels.npy"))) or None
    if path.name == "run":
        return _weights(path / "model.safetensors") if (path / "model.safetensors").exists() else None
    if path.name == "m" or path.name == "m.parquet":
        broken = invariants.is_whole(path)
        return (
            broken[0]
            if broken
            else _rows(path)
            if (path.parent / "decisions.jsonl").exists()
            else Manifest(path).fingerprint
        )
    if path.suffix == ".parquet":
        return hashlib.sha256(repr(pq.read_table(path).to_pylist()).encode()).hexdigest()
    return _hash(path)


def _rows(path: Path) -> str:
    """Return what a reviewed manifest says of each row, but for the moment and the id of each decision."""
    columns = ("sample_id", "target", "label_reason", "reviewed_label")
    return hashlib.sha256(repr(Manifest(path).table(*columns).to_pylist()).encode()).hexdigest()


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _weights(path: Path) -> str:
    from safetensors.numpy import load_file

    weights = load_file(path)
    return hashlib.sha256(b"".join(name.encode() + weights[name].tobytes() for name in sorted(weights))).hexdigest()


def stray(here: Path) -> list[str]:
    """Return what is hidden in a folder and no lock."""
    return [p.relative_to(here).as_posix() for p in here.rglob(".*") if "lock" not in p.name]


class Killing:
    """One command, run undisturbed once, then killed and run again."""

    def __init__(self, name: str, place: Path, made: Made) -> None:
        self.name, self.command, self.here = name, COMMANDS[name], place / "here"
        self.made = made
        self.environment = {"FERDATA_CACHE": str(self.here / "cache")}
        self.reset()
        began = time.monotonic()
        ended = self.run()
        assert ended.how == DONE, ended
        assert ended.value in (0, 3), (place / "here.log").read_text()
        self.seconds = time.monotonic() - began
        self.wanted = content_of(self.here / self.command.out)
        assert self.wanted is not None

    def reset(self) -> None:
        remove(self.here)
        self.here.mkdir()
        self.command.before(self.made, self.here)

    def work(self, *more: str) -> Callable[[], int]:
        words = [str(word) for word in (*self.command.words(self.made, self.here), *more)]
        return lambda: command_line(words)

    def run(self, *more: str) -> Ended:
        return in_child(self.work(*more), self.here, seconds=240, memory=None, environment=self.environment)

    def once(self, number: int) -> list[str]:
        """Kill it once, and return what is wrong."""
        luck = chance(self.name, number)
        self.reset()
        out = self.here / self.command.out
        earlier = content_of(out)
        moment = luck.uniform(0.02, 1.02) * self.seconds
        killed(self.work(), self.here, moment, luck.random() < 0.5, self.environment)
        now = content_of(out)
        problems = []
        if now not in (earlier, self.wanted):
            problems.append(f"the output is {now}")
        if now != self.wanted or earlier == self.wanted:
            problems += self._again()
        if content_of(out) != self.wanted:
            problems.append(f"after the next run the output is {content_of(out)}, not {self.wanted}")
        if hidden := stray(self.here):
            problems.append(f"left behind: {hidden[:3]}")
        return [f"{number}, killed after {moment:.2f} of {self.seconds:.2f} s: {each}" for each in problems]

    def _again(self) -> list[str]:
        """Run it again: going on with what is there, or anew where there is nothing to go on with."""
        ended = self.run(*self.command.again)
        if self.command.again and ended.how == DONE and ended.value == 1:
            ended = self.run()
        if ended.how == DONE and ended.value in (0, 3):
            return []
        log = self.here.with_name("here.log").read_text("utf-8", "replace")
        return [f"the next run: {ended.fault or ended.value} {log[-300:]!r}"]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_killed_command_leaves_nothing_half_written_and_the_next_run_ends_as_undisturbed(
    name: str, open_place: Path, request: pytest.FixtureRequest
) -> None:
    killing = Killing(name, open_place, request.getfixturevalue(COMMANDS[name].needs))
    numbers = cases(short=1, whole=20)
    problems = [problem for number in numbers for problem in killing.once(number)]
    record(f"killed {name}", Counter({"tried": len(numbers), "wrong": len(problems)}))
    assert not problems, report(problems, len(numbers))


def test_the_ledger_keeps_every_line_of_a_killed_import(open_place: Path, made: Made) -> None:
    killing = Killing("review import", open_place, made)
    before = killing.made.ledger.read_text()
    for number in cases(short=1, whole=10):
        killing.once(number)
        lines = (killing.here / "decisions.jsonl").read_text()
        assert lines.startswith(before)
        new = [json.loads(line)["sample_id"] for line in lines[len(before) :].splitlines()]
        assert len(new) == len(set(new)) == len(killing.made.sheet.read_text().splitlines()) - 1
