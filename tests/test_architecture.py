"""The house's rules, held by the house: who imports whom, how long a room may be, what git may not hold."""

import ast
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ferdata import errors

REPOSITORY = Path(__file__).resolve().parent.parent
SOURCES = sorted(p for package in ("ferdata", "zoo") for p in (REPOSITORY / package).rglob("*.py"))
HEAVY = ("torch", "fiftyone", "pandas", "pyarrow", "cv2", "matplotlib", "scipy", "sklearn", "timm")
LONGEST_FILE, SHORTEST_FILE, LONGEST_FUNCTION = 350, 15, 50
LOOSE = {"ferdata": 6, "zoo": 2}  # files beside the rooms
MOST_FILES = 22  # of a package; one file per dataset, command and verb is a list, which may be longer
LISTS = {"ferdata/adapters", "ferdata/cli", "ferdata/steps"}


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in SOURCES:
        yield path.relative_to(REPOSITORY).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def test_import_contracts_are_kept() -> None:
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([command, "--no-cache"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_files_are_rooms_and_functions_fit_on_a_screen() -> None:
    long = [
        f"{path.relative_to(REPOSITORY)}: {lines} lines"
        for path in SOURCES
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST_FILE
    ]
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                # What a function takes and says of itself is not what it does.
                if ast.get_docstring(node):
                    lines -= (node.body[0].end_lineno or 0) - node.lineno
                if lines > LONGEST_FUNCTION:
                    long.append(f"{path}:{node.lineno}: {node.name} has {lines} lines")
    assert long == []


def test_no_file_is_too_short_to_be_one() -> None:
    short = [
        f"{path.relative_to(REPOSITORY)}: {lines} lines"
        for path in SOURCES
        if path.name not in ("__init__.py", "__main__.py")
        and (lines := len(path.read_text(encoding="utf-8").splitlines())) < SHORTEST_FILE
    ]
    assert short == []


def test_files_stand_in_rooms_that_can_be_overlooked() -> None:
    files = Counter(path.parent.relative_to(REPOSITORY).as_posix() for path in SOURCES)
    assert {half: files[half] for half in LOOSE if files[half] > LOOSE[half]} == {}
    rooms = {room: n for room, n in files.items() if room not in LISTS}
    assert {room: n for room, n in rooms.items() if n > MOST_FILES} == {}


def test_every_contract_of_layers_names_all_that_stands_in_it() -> None:
    """So a line that is deleted, or a room that nobody has placed, breaks `make check`."""
    rules = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layered = [contract for contract in rules["contracts"] if contract["type"] == "layers"]
    assert {"ferdata", "zoo"} <= {name for contract in layered for name in contract["containers"]}
    assert [contract["name"] for contract in layered if not contract.get("exhaustive")] == []


def test_no_file_is_named_after_nothing() -> None:
    nothing = {"utils", "util", "helpers", "helper", "common", "base", "misc"}
    assert [p for p in SOURCES if {p.stem, p.parent.name} & nothing] == []


def test_help_loads_no_heavy_library() -> None:
    code = (
        "import json, sys\nfrom ferdata.cli import main\nsys.argv = ['ferdata', '--help']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    code = end.code\nelse:\n    code = 0\n"
        f"print(json.dumps([code, sorted(set(sys.modules) & {set(HEAVY)})]), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    status, loaded = json.loads(done.stderr.splitlines()[-1])
    assert status in (0, None)
    assert loaded == []
    assert "ingest" in done.stdout


def test_one_opencv_wheel_is_installed() -> None:
    wheels = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
    names = {d.metadata["Name"].lower() for d in importlib.metadata.distributions() if d.metadata["Name"]}
    assert [w for w in wheels if w in names] == ["opencv-python-headless"]


def tracked_text() -> Iterator[tuple[str, str]]:
    """Yield every text file that git holds."""
    if not shutil.which("git") or not (REPOSITORY / ".git").exists():
        pytest.skip("no git repository: only a checkout says what is tracked")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        path = REPOSITORY / name
        if path.is_file() and path != Path(__file__).resolve():
            data = path.read_bytes()
            if b"\0" not in data:
                yield name, data.decode("utf-8", errors="replace")


def test_git_holds_no_machine_path_and_no_registry() -> None:
    forbidden = re.compile(
        r"(?<![\w.~$}])/(?:home|root|Users|work|opt|mnt|srv)/\w"
        r"|[A-Z]:\\\\?Users|pythonhosted\.org|//pypi\.|download\.pytorch\.org|--(?:extra-)?index-url|--find-links"
    )
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in tracked_text()
        for number, line in enumerate(text.splitlines(), 1)
        if forbidden.search(line)
    ]
    assert found == []


def test_constraints_are_names_and_versions_only() -> None:
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9.-]+==[0-9][a-z0-9.]*", pin) for pin in pins)
    assert len({pin.partition("==")[0] for pin in pins}) == len(pins)
    assert any(pin.startswith("torch==") for pin in pins)


def test_every_error_is_raised_somewhere() -> None:
    declared = {name for name, value in vars(errors).items() if isinstance(value, type)} - {"FerdataError"}
    raised = {
        node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        for path, tree in trees()
        if path != "ferdata/errors.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    }
    assert declared - raised == set()


def test_commands_parse_and_print_and_touch_no_data() -> None:
    """Each command file calls one step and nothing of pyarrow, pandas or cv2 itself."""
    for path, tree in trees():
        if not path.startswith("ferdata/cli/"):
            continue
        imported = {
            (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        assert not {name.partition(".")[0] for name in imported} & {"pyarrow", "pandas", "cv2", "numpy"}, path
