"""Make a folder of what a bare machine lacks: FER+'s labelled faces, and packages that are Python alone.

    python -m gpu.prepare FOLDER [FERPLUS]

FERPLUS is FER+ as published, with its PNGs. Without it, drawn faces take their place, which is enough to rehearse.
"""

import argparse
import importlib.metadata
import shutil
import subprocess
import sys
from pathlib import Path

from gpu import faces

# What a machine that has PyTorch may lack, or have of an older release.
BROUGHT = (
    *("lightning-fabric", "lightning-utilities", "filelock", "platformdirs"),
    *("pytest", "pluggy", "iniconfig", "pytest-xdist", "execnet"),  # the tests there
)
MOST = 60e6  # bytes that are to travel: checkout and folder


def main() -> int:
    """Make the folder anew, and say what is in it; 1 if it is too large to travel."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("ferplus", type=Path, nargs="?")
    given = parser.parse_args()
    if given.ferplus and not given.ferplus.is_dir():
        parser.error(f"{given.ferplus} is no folder: name FER+'s own, with fer2013new.csv and data/ in it")
    site = given.folder / "site"
    shutil.rmtree(site, ignore_errors=True)
    for name in BROUGHT:
        bring(name, site)
    print(f"{site}: {', '.join(f'{name} {importlib.metadata.version(name)}' for name in BROUGHT)}")
    rows = faces.write(given.folder / "faces.parquet", given.ferplus)
    print(f"{given.folder / 'faces.parquet'}: {rows:,} faces{'' if given.ferplus else ', drawn'}")
    size = bytes_of([*given.folder.glob("faces.parquet"), *site.rglob("*"), *tracked()])
    print(f"To take along, the checkout and {given.folder}: {size / 1e6:.1f} MB")
    return int(size > MOST)


def bring(name: str, site: Path) -> None:
    """Copy an installed package that is Python alone, its metadata with it. Raises SystemExit for a compiled one."""
    for file in importlib.metadata.files(name) or ():
        if file.parts[0] == ".." or "__pycache__" in file.parts:  # a command, or bytes of this Python
            continue
        if file.suffix in (".so", ".pyd"):
            raise SystemExit(f"{name} is compiled ({file}): it would not run under another Python.")
        target = site / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(str(file.locate()), target)


def tracked() -> list[Path]:
    """Return the files of the checkout."""
    done = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, check=False)
    return [Path(name) for name in done.stdout.split("\0") if name]


def bytes_of(paths: list[Path]) -> int:
    """Return how many bytes the files among the paths have."""
    return sum(path.stat().st_size for path in paths if path.is_file())


if __name__ == "__main__":
    sys.exit(main())
