"""What becomes no row, and how it is named: odd names, annotations that cannot be read, pictures that nothing lists."""

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

from ferdata.errors import BrokenSource, NotAFile
from ferdata.schema import Frame, Sample, is_image
from ferdata.sources.declaration import Skipped
from ferdata.sources.recognise import by_folder

NO_TEXT = "a file name that is not valid text"
NUL = "a file name with a NUL in it"
UNLISTED = "a picture that no table names"
NOTES = "annotations that cannot be read"


def as_text(name: str) -> str:
    """Return a name as text can hold it: what cannot be shown, or is no character at all, is escaped."""
    return name if name.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in name)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def why_no_row(sample: Sample) -> str | None:
    """Return why a sample cannot be a row: no manifest holds, or no file has, such a name; None where it can."""
    image = sample.image
    path = image if isinstance(image, str) else image.path if isinstance(image, Frame) else ""
    if "\0" in path:
        return NUL
    names = (sample.key, path, sample.subject or "", sample.sequence or "", sample.native_label or "")
    if all(map(str.isascii, names)):
        return None
    try:
        "".join(names).encode()
    except UnicodeEncodeError:
        return NO_TEXT
    return None


def readable(samples: Iterable[Sample | Skipped]) -> Iterator[Sample | Skipped]:
    """Yield an adapter's samples. Raises BrokenSource where it met a file or folder that the system does not read."""
    try:
        yield from samples
    except OSError as error:
        raise cannot_read(error) from None


def cannot_read(error: OSError) -> BrokenSource:
    """Return the error for a file or folder, named in `error`, that the system does not read."""
    rights = isinstance(error, PermissionError)
    return BrokenSource(
        f"Cannot read {as_text(os.fsdecode(error.filename or 'a file'))}: {error.strerror or error}.",
        "Give yourself read access to it (chmod u+rx), or move it out of the dataset's folder."
        if rights
        else "Is the dataset complete? Download it again, or move this file out of its folder.",
    )


def or_left_out(key: str, read: Callable[[], Sample]) -> Sample | Skipped:
    """Return the row that `read` makes of one picture's own annotations; where they cannot be read, why it is none."""
    try:
        return read()
    except (BrokenSource, NotAFile) as error:
        return Skipped(key, NOTES, error.message)
    except OSError as error:
        return Skipped(key, NOTES, cannot_read(error).message)


def unlisted(base: Path, listed: Collection[str]) -> Iterator[Skipped]:
    """Yield the pictures that lie beside those that a table lists, paths relative to `base`, and are none of them."""
    named = frozenset(listed)
    for folder in sorted({path.rpartition("/")[0] for path in named}, key=by_folder):
        try:
            names = sorted(os.listdir(base / folder))  # noqa: PTH208  # no Path for each of many
        except (OSError, ValueError):  # a table may name any folder: its pictures are rejected as missing
            continue
        for name in names:
            path = f"{folder}/{name}" if folder else name
            if is_image(name) and path not in named and not (base / path).is_dir():
                yield Skipped(path, UNLISTED)
