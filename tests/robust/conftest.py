"""What the suite's tests share: a folder that any user may enter, the seed in the header, the figures at the end."""

import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.robust import extent
from tests.robust.made import Made, make, make_run
from tests.robust.snapshot import remove

# `make robust` runs the suite. It is no part of `make test` until its time and its ends are known on many machines.
collect_ignore_glob = [] if os.environ.get("FERDATA_ROBUST") else ["test_*.py"]


@pytest.fixture
def open_place() -> Iterator[Path]:
    """Give an empty folder that any user may enter: those of pytest are its user's alone."""
    place = Path(tempfile.mkdtemp())
    place.chmod(0o755)
    yield place
    remove(place)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return manifests and what goes with them, which nothing may change."""
    return make(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="session")
def trained(made: Made) -> Made:
    """Return the same with a run."""
    return make_run(made)


def pytest_report_header() -> str:
    """Say with which seed the cases are made."""
    return f"robust: seed {extent.SEED}, {'all of it' if extent.WHOLE else 'the short part'}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the figures of all groups as a table, where they were kept, once for all workers."""
    if not extent.FIGURES or hasattr(config, "workerinput") or not Path(extent.FIGURES).is_file():
        return
    groups: dict[str, Counter[str]] = {}
    for line in Path(extent.FIGURES).read_text(encoding="utf-8").splitlines():
        figures = json.loads(line)
        groups.setdefault(figures.pop("group"), Counter()).update(figures)
    terminalreporter.section(f"robust, seed {extent.SEED}")
    for group, tally in sorted(groups.items()):
        terminalreporter.line(f"| {group} | " + ", ".join(f"{n:,} {word}" for word, n in tally.items()) + " |")
