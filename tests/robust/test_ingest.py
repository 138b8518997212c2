"""Every adapter and layout, its tree mutated: no traceback, no hang, nothing unaccounted, nothing written elsewhere."""

import codecs
import functools
import multiprocessing.connection  # noqa: F401  # so that a child of another user need not import it
import shutil
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ferdata import adapters
from ferdata.steps.ingest import ingest
from tests import fakes
from tests.robust import invariants
from tests.robust.child import DONE, STRANGER, Ended, in_child
from tests.robust.extent import cases, chance, record, report
from tests.robust.mutate_tree import Touched, mutate
from tests.robust.pictures import png
from tests.robust.snapshot import remove, snapshot

pytestmark = pytest.mark.slow
LAYOUTS = sorted(fakes.layouts())
MOST = 300  # cases of an adapter, spread over its layouts
LAYOUTS_OF = Counter(adapter for adapter, _ in LAYOUTS)
ENCODINGS = (
    *("ascii", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp437", "cp1252", "latin-1"),
    "unicode_escape",
)
ADDED_LINKS = ("a link to above", "a link up", "a link out", "a link for a folder")


@pytest.fixture(scope="module", autouse=True)
def _everything_imported() -> None:
    """Import what an ingest imports on its way, in the parent of all children."""
    for encoding in ENCODINGS:  # a child of another user may not be let into Python's own folder
        codecs.lookup(encoding)
    import importlib.readers  # noqa: F401
    import xml.etree.ElementTree  # noqa: F401

    import yaml  # noqa: F401

    for name in adapters.names():
        adapters.load(name)


def _prepared(case: Path) -> Path:
    """Make the empty folders of a case, and return that of the output."""
    for name in ("out", "here", "tmp", "outside"):
        (case / name).mkdir(parents=True)
        (case / name).chmod(0o777)
    (case / "outside" / "secret.png").write_bytes(png(8, 8))
    return case / "out" / "m.parquet"


def _options(adapter: str, luck: Random) -> dict[str, str]:
    """Return now and then one of each of an adapter's choices."""
    declared = adapters.load(adapter).SOURCE.options if luck.random() < 0.25 else ()
    return {each.name: luck.choice(each.choices) for each in declared if each.choices and luck.random() < 0.5}


def _ingest(adapter: str, root: Path, out: Path, case: Path, user: int | None = None, **options: Any) -> Ended:
    def work() -> dict[str, Any]:
        done = ingest(adapter, root=root, out=out, workers=options.pop("workers", 1), **options)
        return {"base": str(done.base), "release": done.release}

    return in_child(
        work, case / "here", user=user, environment={"TMPDIR": str(case / "tmp"), "FERDATA_KNOWN": str(case / "known")}
    )


@functools.cache
def _undisturbed(adapter: str, layout: str, place: Path) -> tuple[Path, invariants.Taken, Ended]:
    """Write a layout's fake once, and ingest it."""
    root = place / "whole"
    root.mkdir(parents=True)
    fakes.layouts()[adapter, layout](root)
    out = _prepared(place / "undisturbed")
    ended = _ingest(adapter, root, out, place / "undisturbed")
    assert ended.how == DONE, ended
    return root, invariants.taken(out), ended


def _one(adapter: str, layout: str, number: int, place: Path, tally: Counter[str]) -> list[str]:
    """Run one case, and return what is wrong."""
    luck = chance(adapter, layout, number)
    whole, before, usual = _undisturbed(adapter, layout, place)
    case = place / "case"
    out, root = _prepared(case), case / "in"
    shutil.copytree(whole, root, symlinks=True)
    touched = mutate(root, case / "outside", luck, luck.choice((1, 1, 1, 2, 3)))
    options: dict[str, Any] = dict(_options(adapter, luck))
    plain = not options
    options["images"] = None if luck.random() < 0.7 else "embed"
    options["unknown_labels"] = "refuse" if luck.random() < 0.7 else "keep"
    options["workers"] = 1 if luck.random() < 0.9 else 2
    inputs = snapshot(case, ("out", "here.log", "here.answer.json"))
    ended = _ingest(adapter, root, out, case, STRANGER if touched.rights else None, **options)
    tally.update(("tried", ended.how))
    problems = _judged(case, out, root, ended, inputs, before, touched, plain, usual)
    remove(case)
    return [f"{adapter} {layout} {number} {touched.done} {options}: {problem}" for problem in problems]


def _judged(
    case: Path,
    out: Path,
    root: Path,
    ended: Ended,
    inputs: dict[str, Any],
    before: invariants.Taken,
    touched: Touched,
    plain: bool,
    usual: Ended,
) -> list[str]:
    problems = [
        *invariants.only_our_errors(ended),
        *invariants.within_memory(ended),
        *invariants.inputs_unchanged(inputs, snapshot(case, ("out", "here.log", "here.answer.json"))),
        *invariants.nothing_half_written(out.parent, ended, ("m.parquet", "m.rejects.parquet")),
    ]
    if ended.how != DONE:
        return problems
    after = invariants.taken(out)
    problems += [*invariants.the_record_adds_up(after), *invariants.is_whole(out)]
    if ended.value["release"] != usual.value["release"] or any(w in done for w in ADDED_LINKS for done in touched.done):
        return problems  # another layout was found, or the files lie under several paths
    base = Path(ended.value["base"])
    if base == root:
        problems += invariants.every_file_is_accounted_for(root, after)
    if plain:
        problems += invariants.untouched_rows_are_the_same(before, after, touched)
    return problems


@pytest.mark.parametrize(("adapter", "layout"), LAYOUTS, ids=map("-".join, LAYOUTS))
def test_a_mutated_tree_is_read_or_refused_and_nothing_is_lost(adapter: str, layout: str, open_place: Path) -> None:
    tally: Counter[str] = Counter()
    numbers = cases(short=2, whole=-(-MOST // LAYOUTS_OF[adapter]))
    began = time.monotonic()
    problems = [problem for number in numbers for problem in _one(adapter, layout, number, open_place, tally)]
    tally["seconds"] = round(time.monotonic() - began)
    record(f"ingest {adapter}", tally)
    assert not problems, report(problems, len(numbers))
