"""Names that a dataset's publishers fixed, found on disk in whichever case a copy has them: `Images/` for `images/`.

As published comes first: only where that is not there, an entry that differs in case alone is taken.
"""

import re
from pathlib import Path, PurePosixPath

from ferdata.sources.declaration import Layout


def in_any_case(mark: str) -> str:
    """Return the glob pattern that matches what `mark` matches, in any case."""
    return re.sub(r"\[(!?)([^\]]*)\]|([a-zA-Z])", _both_cases, mark)


def _both_cases(found: re.Match[str]) -> str:
    negation, choice, letter = found[1] or "", found[2] or "", found[3] or ""
    return f"[{negation}{choice or letter}{(choice or letter).swapcase()}]"


def spelled(base: Path, name: str) -> Path:
    """Return `base / name` as it is spelled on disk; as given, where nothing or more than one thing is spelled so."""
    here = base
    for part in PurePosixPath(name).parts:
        alike = [] if (here / part).exists() else _alike(here, part)
        here = here / (alike[0] if len(alike) == 1 else part)
    return here


def _alike(folder: Path, name: str) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir() if entry.name.casefold() == name.casefold()]
    except OSError:  # no such folder, or one that may not be read
        return []


def declared_label(name: str, layout: Layout) -> str:
    """Return a class folder's name as the layout declares it; a name that it does not have comes back as it is."""
    if layout.labels.get(name):
        return name
    return next((label for label in layout.labels if label.casefold() == name.casefold()), name)
