"""Every figure of speed in the documentation, in one run on the same files, each as a ratio to a named peer.

    python benchmarks/run.py                      all of it, into benchmarks/results/speed-DATE.md
    python benchmarks/run.py --quick              a look: fewer images, one turn, nothing written
    python benchmarks/run.py --only ingest,batches

Sections: ingest (FER+'s PNGs to Parquet), larger (JPEGs of 224 px and photographs), csv (fer2013.csv to a manifest),
batches (for training), engines (of the loader), steps (the default recipe on this processor, and held to AVX2),
learning (is the loader hidden?), align (YuNet on photographs), start (of the commands). Each measurement is a fresh
process; medians of several, everybody in turn. Needs the extra [train] and the peers: `sh benchmarks/peers.sh` puts
them into a virtual environment of their own (benchmarks/.venv); where there is none, this Python is tried.

The data: `--data FOLDER` (else FERDATA_TEST_DATA, else ../shared/data beside the repository), as
benchmarks/speed/inputs.py says; or FER+ and fer2013.csv as published (`--ferplus`, `--csv`). What is missing is said,
and its section left out.
"""

import argparse
import importlib
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parent
sys.path.insert(0, str(BENCHMARKS))

from speed import report  # noqa: E402
from speed.inputs import Inputs, Missing  # noqa: E402
from speed.process import Failed, environment  # noqa: E402
from speed.report import Section  # noqa: E402
from speed.settings import Settings, cores  # noqa: E402

SECTIONS = {
    "ingest": "ingest", "larger": "larger", "csv": "pixel_text", "batches": "batches", "engines": "engines",
    "steps": "steps", "learning": "learning", "align": "aligning", "start": "start",
}  # fmt: skip
LOOK = 1000  # faces of a quick run
OURS = ("ferdata", "torch", "numpy", "pyarrow", "opencv-python-headless")
PEERS = ("torchvision", "albumentations", "timm", "datasets", "fiftyone", "pandas")


def main() -> int:
    """Run the sections, print them, and write them down; 0 if all that was wanted holds, 3 if not, 1 for failures."""
    given = arguments()
    chosen = [name for name in SECTIONS if name in given.only]
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="ferdata-speed-", dir=given.work) as temporary:
        work = Path(temporary)
        env = environment(work, given.threads)
        settings = Settings(sys.executable, str(given.peers), env, 1 if given.quick else given.repeats, given.quick)
        inputs = Inputs(
            given.data, work, env, LOOK if given.quick else 0, given.ferplus, given.csv, given.photos, given.yunet
        )
        sections, whole = run(chosen, inputs, settings)
        about = machine(settings, given)
    seconds = time.perf_counter() - begin
    about.append(f"The whole run took {seconds / 60:.1f} minutes.")
    last = report.wanted(sections)
    last.notes = about
    on_screen([last])
    if not given.quick:
        out = given.out or BENCHMARKS / "results" / f"speed-{date.today().isoformat()}.md"
        title = f"# Speed, {date.today():%d %B %Y}".replace(", 0", ", ")
        parts = [title, "", *(report.markdown(s) for s in [last, *sections])]
        out.write_text("\n".join(parts).rstrip() + "\n", encoding="utf-8")
        print(f"\nWritten to {out}")
    if not whole:
        return 1
    return 3 if any(check.holds is False for section in sections for check in section.checks) else 0


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    own = BENCHMARKS / ".venv" / "bin" / "python"
    beside = BENCHMARKS.parent.parent / "shared" / "data"
    parser.add_argument("--quick", action="store_true", help=f"{LOOK} faces, one turn; nothing is written")
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, with commas between them")
    parser.add_argument("--repeats", type=int, default=3, help="turns of which the median counts")
    parser.add_argument("--threads", type=int, default=cores(), help="torch's, everybody's alike [default: all cores]")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("FERDATA_TEST_DATA", beside)))
    parser.add_argument("--ferplus", type=Path, help="FER+ as published, with its PNGs [default: made of --data]")
    parser.add_argument("--csv", type=Path, help="fer2013.csv [default: made of --data]")
    parser.add_argument("--photos", type=Path, help="muxspace's images/ and data/, or an archive of them")
    parser.add_argument("--yunet", type=Path, help="YuNet's model file")
    parser.add_argument("--peers", type=Path, default=own if own.exists() else sys.executable, help="their Python")
    parser.add_argument("--work", type=Path, help="where to work, 3 GB [default: the temporary folder]")
    parser.add_argument("--out", type=Path, help="the file to write [default: benchmarks/results/speed-DATE.md]")
    given = parser.parse_args()
    given.only = given.only.split(",")
    if strangers := sorted(set(given.only) - set(SECTIONS)):
        parser.error(f"there is no section {', '.join(strangers)}; there are {', '.join(SECTIONS)}")
    for name in ("data", "ferplus", "csv", "photos", "yunet"):
        if (path := getattr(given, name)) is not None:
            setattr(given, name, path.resolve())
    return given


def run(chosen: list[str], inputs: Inputs, settings: Settings) -> tuple[list[Section], bool]:
    """Measure section by section; return them, and whether none was left out."""
    sections, whole = [], True
    for name in chosen:
        print(f"{name} ...", file=sys.stderr, flush=True)
        begin = time.perf_counter()
        try:
            made = importlib.import_module(f"speed.{SECTIONS[name]}").section(inputs, settings)
        except (Missing, Failed) as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
            why = str(error).splitlines()[0] if isinstance(error, Missing) else "it failed"
            made, whole = Section(f"{name}: not run, {why}", [], []), False
            made.not_run(name, "to be measured", why)
        print(f"{name}: {time.perf_counter() - begin:.0f} s", file=sys.stderr, flush=True)
        sections.append(made)
        on_screen([made])
    return sections, whole


def on_screen(sections: list[Section]) -> None:
    """Print the sections."""
    from rich.console import Console

    console = Console(width=150, highlight=False)
    for section in sections:
        report.show(section, console)


def machine(settings: Settings, given: argparse.Namespace) -> list[str]:
    """Return what a reader must know of the run: the command, the processor, the versions, the load."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists() and (found := re.search(r"^model name\s*: (.+)$", info.read_text(encoding="utf-8"), re.M)):
        model = found[1]
    shown = [Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:]]
    return [
        f"`{shlex.join(['python', 'benchmarks/run.py', *shown])}`: medians of {settings.repeats}.",
        f"{model}, {settings.cores} cores, {given.threads} torch threads; load over the last quarter of an hour "
        f"{os.getloadavg()[2]:.1f}.",
        f"Python {platform.python_version()}, {_versions(settings.python, OURS)}.",
        f"Peers: {_versions(settings.peers, PEERS)}.",
    ]


def _versions(python: str, names: tuple[str, ...]) -> str:
    code = (
        "import sys\nfrom importlib.metadata import PackageNotFoundError, version\n"
        "for name in sys.argv[1:]:\n    try:\n        print(name, version(name))\n"
        "    except PackageNotFoundError:\n        print(name, 'not installed')"
    )
    done = subprocess.run([python, "-c", code, *names], capture_output=True, text=True, check=True)
    return ", ".join(done.stdout.split("\n")[:-1])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("Interrupted. Nothing was written.", file=sys.stderr)
        sys.exit(130)
