"""Which files are looked at: those that are named, and of folders all that is a picture or a video.

What a folder holds besides is counted, so that nothing is left out unsaid.
"""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from ferdata.errors import BadOption
from ferdata.schema import IMAGE_SUFFIXES, is_image
from zoo.deploy import video

# isort: split
import cv2  # after `ferdata.images`, which sets what OpenCV reads when it is imported


def find(paths: Sequence[str | Path]) -> list[Path]:
    """Return the named files, and for a folder every picture and video below it, each once.

    By suffix, or, where there is none, by what it begins with; the others are what `passed_over` counts. Raises
    BadOption if that is none, and for a folder that may not be read.
    """
    _check_readable(paths)
    files = dict.fromkeys(
        file
        for path in map(Path, paths)
        for file in ([path] if not path.is_dir() else (f for f in sorted(path.rglob("*")) if _is_wanted(f)))
    )
    if not files:
        others = by_number(passed_over(paths))
        raise BadOption(
            f"There is no picture in {', '.join(map(str, paths)) or 'an empty list'}"
            + (f", only {others}." if others else "."),
            f"Name pictures ({', '.join(sorted(IMAGE_SUFFIXES))}), videos ({', '.join(sorted(video.SUFFIXES))}), "
            "or folders of them.",
        )
    return list(files)


def _check_readable(paths: Sequence[str | Path]) -> None:
    """Raise BadOption for a folder that may not be read: its pictures would be missing without a word."""

    def refuse(error: OSError) -> None:
        raise BadOption(
            f"Cannot read the folder {error.filename}: {error.strerror}.",
            "Give yourself read access to it (chmod u+rx), or name the folders beside it.",
        )

    for path in filter(Path.is_dir, map(Path, paths)):
        for _ in os.walk(path, onerror=refuse):
            pass


def passed_over(paths: Sequence[str | Path]) -> dict[str, int]:
    """Count, by what they are called, the files in folders that `find` leaves out, since they are no pictures."""
    folders = [path for path in map(Path, paths) if path.is_dir()]
    below = dict.fromkeys(file for folder in folders for file in folder.rglob("*") if not _is_wanted(file))
    return dict(Counter(kind for kind in map(_kind, below) if kind).most_common())


def by_number(kinds: Mapping[str, int]) -> str:
    """Return what `passed_over` counted, in words."""
    return ", ".join(f"{n:,} {kind}" for kind, n in kinds.items())


def _is_wanted(path: Path) -> bool:
    """Say whether something in a folder is a picture or a video, or says so of itself."""
    if path.is_dir():
        return False
    if path.suffix or path.name.startswith("."):
        return is_image(path.name) or video.is_video(path)
    return path.is_file() and cv2.haveImageReader(str(path))


def _kind(path: Path) -> str:
    """Return what a person would call something that is passed over; "" for a folder, whose files count."""
    if path.is_dir():
        return "linked folder" if path.is_symlink() else ""
    return "hidden" if path.name.startswith(".") else path.suffix.lower() or "without an ending"
