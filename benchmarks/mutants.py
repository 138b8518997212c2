"""Which changes of the training code would no test notice: lines deleted or flipped, drawn by a commit's hash.

    python benchmarks/mutants.py [--count 100] [--jobs 2] [--out FILE] [--seed TEXT] [--list]

Lines of zoo/training, zoo/data and zoo/evaluation are drawn, as the last commit has them, by its hash; in each one
statement is deleted, or one comparison, sign, `and`, `not`, truth value or number is turned. What never runs is passed
over: docstrings, types, messages, imports. Each change is made in a copy of the commit, of which there is one per job,
and judged in two rounds, each ending at the first failure: the tests that mirror the file, and for training and data
those of the options (tests/zoo/training/test_options*.py); then, if these pass, the quick tests of any room that import
the file, and all those of its own. One that never ends is noticed too. Before, all these tests must pass on the copy as
it is. Results go to FILE, one JSON object a line, and a second call goes on from there; what no test noticed is printed
with its difference, for somebody to look at. Ends with 1 if fewer than nine in ten are noticed, with 2 if the tests
fail on the commit itself.

Why not mutmut or cosmic-ray: neither deletes statements, nor draws a sample that can be drawn again. cosmic-ray runs
one command for every change; mutmut runs the whole suite first, in one process, to learn which test reaches what.
"""

import argparse
import ast
import copy
import difflib
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue

ROOMS = ("training", "data", "evaluation")
WANTED = 0.9
FIRST, SECOND = 600, 1200  # seconds for each round, many times what it takes where little else runs
OPTIONS = "tests/zoo/training/test_options*.py"
QUICK = ("-m", "not slow")
PASSED = (0, 5)  # 5: there is no test
DELETED = (ast.Expr, ast.Assign, ast.AugAssign, ast.Return, ast.Raise, ast.Assert, ast.Continue, ast.Break, ast.Delete)
TURNED: dict[type, type] = {
    **{ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq},
    **{ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And},
    **{ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult},
    **{ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.USub: ast.UAdd},
}


@dataclass(frozen=True)
class Change:
    """Bytes `start` to `end` of `file` become `text`; `line` is where they begin."""

    file: str
    line: int
    start: int
    end: int
    text: str


def changes(file: str, source: str) -> Iterator[Change]:
    """Yield every change of one place of a file that still compiles."""
    starts = [0]
    for line in source.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for node, text in places(ast.parse(source), ()):
        start, end = starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset
        yield Change(file, node.lineno, start, end, text)


def places(node: ast.AST, above: tuple[ast.AST, ...]) -> Iterator[tuple[ast.AST, str]]:
    """Yield the nodes that can be changed, and what each becomes."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.JoinedStr) or is_silent(node):
        return
    inside = any(isinstance(one, ast.FunctionDef) for one in above)
    if inside and isinstance(node, DELETED):
        yield node, "pass"
    if isinstance(node, ast.Raise):  # what is said of an error is no behaviour; that it is raised, is
        return
    if (turned := flipped(node)) is not None:
        yield node, f"({ast.unparse(turned)})"
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "bases", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from places(child, (*above, node))


def is_silent(node: ast.AST) -> bool:
    """Say whether a node does nothing when it runs: a docstring, or a block for the type checker alone."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def flipped(node: ast.AST) -> ast.AST | None:
    """Return the expression turned into its contrary or its neighbour; None for one that has none."""
    other = copy.deepcopy(node)
    match other:
        case ast.Compare(ops=[op]) if type(op) in TURNED:
            other.ops = [TURNED[type(op)]()]
        case ast.BoolOp(op=op) | ast.BinOp(op=op) | ast.UnaryOp(op=op) if type(op) in TURNED:
            other.op = TURNED[type(op)]()
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return operand
        case ast.Constant(value=bool(value)):
            other.value = not value
        case ast.Constant(value=int(value) | float(value)):
            other.value = value + 1
        case _:
            return None
    return other


def files(root: Path) -> list[str]:
    """Return the files whose lines may be drawn."""
    return sorted(p.relative_to(root).as_posix() for room in ROOMS for p in (root / "zoo" / room).rglob("*.py"))


def drawn(root: Path, seed: str, count: int) -> list[Change]:
    """Return `count` changes, of as many lines, in the order of drawing."""
    lines: dict[tuple[str, int], list[Change]] = {}
    for file in files(root):
        for change in changes(file, (root / file).read_text(encoding="utf-8")):
            lines.setdefault((file, change.line), []).append(change)
    rng = random.Random(seed)
    return [rng.choice(lines[at]) for at in rng.sample(sorted(lines), count)]


def applied(change: Change, source: bytes) -> bytes:
    """Return the file's source with the change made."""
    return source[: change.start] + change.text.encode() + source[change.end :]


def rounds(root: Path, file: str) -> tuple[list[str], list[str]]:
    """Return the tests of the first and of the second round for a file, as paths in the copy."""
    room, stem = Path(file).parent.name, Path(file).stem
    mirror = sorted((root / "tests/zoo" / room).glob(f"test_{stem}*.py"))
    options = sorted(root.glob(OPTIONS)) if room != "evaluation" else []
    # Most of training is reached by a step, which takes a tenth of a second there and seconds elsewhere.
    first = dict.fromkeys([*options, *mirror] if room == "training" else [*mirror, *options])
    asking = re.compile(rf"zoo\.{room}(\.{stem}\b| import .*\b{stem}\b)")
    askers = [p for p in sorted((root / "tests").rglob("test_*.py")) if asking.search(p.read_text(encoding="utf-8"))]
    second = dict.fromkeys([*askers, *sorted((root / "tests/zoo" / room).glob("test_*.py"))])
    near, wide = ([path.relative_to(root).as_posix() for path in some] for some in (first, second))
    return near, [path for path in wide if path not in near]


def tested(root: Path, tests: list[str], limit: float, *more: str) -> str:
    """Run tests in a copy; return "" if all pass, else the name of the first that does not, or why there is none."""
    if not tests:
        return ""
    pytest = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", f"--basetemp={root}/.tmp", *more]
    given = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    told = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen([*pytest, *tests], cwd=root, env=given, start_new_session=True, **told) as process:
        try:
            said, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            return "no end"
        finally:  # and whatever it has started
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    failed = [line.split(" ")[1] for line in said.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return "" if process.returncode in PASSED else failed[0] if failed else said.strip().splitlines()[-1]


def judged(root: Path, change: Change) -> dict[str, object]:
    """Make a change in a copy, test it, and take it back; return what came of it."""
    path, started = root / change.file, time.monotonic()
    before = path.read_bytes()
    compiled = sorted(path.parent.glob(f"__pycache__/{path.stem}.*.pyc"))
    try:
        path.write_bytes(applied(change, before))
        for old in compiled:  # it goes by size and second, which both may be the same
            old.unlink()
        first, second = rounds(root, change.file)
        by = tested(root, first, FIRST) or tested(root, second, SECOND, *QUICK)
    finally:
        path.write_bytes(before)
        for new in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
            new.unlink()
    return {"by": by, "seconds": round(time.monotonic() - started)}


def shown(root: Path, change: Change) -> str:
    """Return the difference that a change makes."""
    before = (root / change.file).read_bytes()
    old, new = (text.decode().splitlines() for text in (before, applied(change, before)))
    lines = list(difflib.unified_diff(old, new, lineterm="", n=0))[3:]
    return "\n".join([f"{change.file}:{change.line}", *(f"    {line}" for line in lines)])


def copies(folder: Path, count: int) -> list[Path]:
    """Return as many copies of the last commit."""
    packed = subprocess.run(["git", "archive", "HEAD"], capture_output=True, check=True).stdout
    made = [folder / str(i) for i in range(count)]
    for root in made:
        root.mkdir()
        subprocess.run(["tar", "-x", "-C", root], input=packed, check=True)
    return made


def failing(root: Path, jobs: int) -> str:
    """Return the first test that fails in a copy as it is, "" for none: nothing could be judged by it."""
    pairs = [rounds(root, file) for file in files(root)]
    near = list(dict.fromkeys(path for first, _ in pairs for path in first))
    wide = list(dict.fromkeys(path for _, second in pairs for path in second if path not in near))
    at_once = ("-n", str(jobs))
    return tested(root, near, 4 * SECOND, *at_once) or tested(root, wide, 4 * SECOND, *at_once, *QUICK)


def judge_all(roots: list[Path], asked: list[Change], out: Path, seed: str) -> list[dict[str, object]]:
    """Judge what FILE does not hold yet, a copy each at a time; return all results, in the order of drawing."""
    keys = [json.dumps(asdict(change), sort_keys=True) for change in asked]
    lines = [json.loads(line) for line in out.read_text().splitlines()] if out.is_file() else []
    known = {json.dumps(line["change"], sort_keys=True): line for line in lines if line["seed"] == seed}
    free: SimpleQueue[Path] = SimpleQueue()
    for root in roots:
        free.put(root)

    def one(change: Change) -> None:
        root = free.get()
        try:
            result = {"seed": seed, "change": asdict(change), **judged(root, change)}
        finally:
            free.put(root)
        known[json.dumps(asdict(change), sort_keys=True)] = result
        with out.open("a") as file:
            file.write(json.dumps(result) + "\n")
        verdict = f"noticed by {result['by']}" if result["by"] else "NOT NOTICED"
        print(f"{len(known):3d}  {result['seconds']:4d} s  {change.file}:{change.line}  {verdict}", flush=True)

    todo = [change for change, key in zip(asked, keys, strict=True) if key not in known]
    with ThreadPoolExecutor(len(roots)) as pool:
        list(pool.map(one, todo))
    return [known[key] for key in keys]


def main() -> int:
    hash_ = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", default=hash_, help="what the lines are drawn by (default: the last commit's hash)")
    parser.add_argument(
        "--out", type=Path, default=None, help="results (default: benchmarks/results/mutants-HASH.jsonl)"
    )
    parser.add_argument("--list", action="store_true", help="print the changes and test nothing")
    given = parser.parse_args()
    out = given.out or Path(__file__).parent / "results" / f"mutants-{given.seed[:12]}.jsonl"
    with tempfile.TemporaryDirectory(prefix="ferdata-mutants-") as folder:
        roots = copies(Path(folder), given.jobs)
        asked = drawn(roots[0], given.seed, given.count)
        if given.list:
            print("\n\n".join(shown(roots[0], change) for change in asked))
            return 0
        if not out.is_file() and (broken := failing(roots[0], given.jobs)):
            print(f"Nothing can be judged: the tests fail on the commit as it is, {broken}.", file=sys.stderr)
            return 2
        results = judge_all(roots, asked, out, given.seed)
        left = [change for change, result in zip(asked, results, strict=True) if not result["by"]]
        print("", *(shown(roots[0], change) for change in left), sep="\n\n")
    noticed = len(asked) - len(left)
    print(f"\n{noticed} of {len(asked)} changes were noticed (seed {given.seed}).")
    return int(noticed < WANTED * len(asked))


if __name__ == "__main__":
    raise SystemExit(main())
