"""Where a dataset's files are on this machine, and, where they are not, how they get there."""

import os
from pathlib import Path

from ferdata.errors import BadOption, DatasetMissing
from ferdata.schema import root_variable
from ferdata.sources.archives import is_archive, is_foreign
from ferdata.sources.contents import what_it_is
from ferdata.sources.declaration import Source


def data_root() -> Path:
    """Return the folder below which datasets are looked for: $FERDATA_DATA, else data."""
    return Path(os.environ.get("FERDATA_DATA", "data"))


def find_root(declared: Source, root: Path | str | None = None) -> Path:
    """Return a dataset's folder or archive: `root`, else FERDATA_ROOT_<NAME>, else $FERDATA_DATA/<name>.

    Raises DatasetMissing, whose hint is how the dataset is obtained, and BadOption for a file that is no archive.
    """
    given = root or os.environ.get(root_variable(declared.name))
    if not given:
        folder = data_root() / declared.name
        if folder.is_dir():
            return folder
        raise DatasetMissing(f"{declared.title} is not in {folder}.", how_to_obtain(declared))
    place = Path(given)
    _check_rights(place)
    if place.is_dir() or (place.is_file() and (is_archive(place) or place.suffix.lower() in declared.files)):
        return place
    if place.is_file():
        raise BadOption(
            f"{place} is {_kind(place)}neither a folder nor a supported archive (.zip, .tar, .tar.gz).",
            f"Unpack it, and give the folder: ferdata ingest {declared.name} --root DIR"
            if is_foreign(place.name)
            else f"Give the folder that holds it: ferdata ingest {declared.name} --root {place.parent}",
        )
    raise DatasetMissing(
        f"There is no folder {place}.",
        f"Check the path, or see `ferdata datasets show {declared.name}` for how to obtain the dataset.",
    )


def _check_rights(place: Path) -> None:
    """Raise BadOption for a place that the system does not let this user see."""
    try:
        place.stat()
    except (FileNotFoundError, ValueError):
        return
    except OSError as error:
        raise BadOption(f"Cannot read {place}: {error.strerror}.", "Check the path and your rights to it.") from None


def _kind(file: Path) -> str:
    try:
        what = what_it_is(file)
    except OSError:
        what = None
    return f"{what}, " if what else ""


def how_to_obtain(declared: Source) -> str:
    """Return, in sentences, who may have a dataset, the steps to it, and where to put it."""
    if not declared.obtain:
        return f"Give its folder: ferdata ingest {declared.name} --root DIR"
    steps = [f"  {i}. {step}" for i, step in enumerate(declared.obtain, 1)]
    return "\n".join(
        (
            f"Who may have it: {declared.access}",
            f"Licence: {declared.licence.name}. {declared.licence.terms}",
            f"Homepage: {declared.homepage or 'none'}",
            "How to obtain it:",
            *steps,
            f"Where to put it: {declared.place}",
            f"Or give its folder: ferdata ingest {declared.name} --root DIR",
        )
    )
