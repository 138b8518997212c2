"""How a dataset's folder is recognised, the walk over its images, and paths within it."""

import os
import re
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from ferdata.errors import BrokenSource, NotAFile, NotThisDataset
from ferdata.schema import escapes, is_image
from ferdata.sources.declaration import EITHER, Layout, Source
from ferdata.sources.spelling import in_any_case
from ferdata.sources.tables import header_of


def recognise(source: Source, root: Path, any_case: bool = True) -> tuple[Layout, Path] | None:
    """Return the first of the source's layouts that lies in `root` or up to two below, and its base.

    With `any_case`, names that differ in case alone are taken where none is spelled as published.
    """
    try:
        bases = [root, *_folders(root)]
    except PermissionError:
        raise NotThisDataset(
            f"You may not read the folder {root}.", "Give yourself read access to it (chmod u+rx)."
        ) from None
    bases += [inner for base in bases[1:] for inner in _readable_folders(base)]
    for layout in source.layouts:
        for spelling in (str, in_any_case) if any_case else (str,):
            marks = [[spelling(pattern) for pattern in mark.split(EITHER)] for mark in layout.marks]
            for base in bases:
                if (
                    marks
                    and all(any(_marked(base, pattern) for pattern in mark) for mark in marks)
                    and _has_header(base, layout)
                ):
                    return layout, base
    return None


def _marked(base: Path, mark: str) -> bool:
    anywhere = mark.removeprefix("**/")
    try:
        return any(True for _ in (base.glob(mark) if anywhere == mark else below(base, anywhere)))
    except OSError:  # a folder in there that may not be read
        return False


def _has_header(base: Path, layout: Layout) -> bool:
    if not layout.header:
        return True
    for path in base.glob(in_any_case(layout.marks[0])):
        try:
            header = header_of(path)
        except (OSError, UnicodeError, NotAFile):
            continue
        if set(layout.header).issubset(header):
            return True
    return False


def _folders(root: Path) -> list[Path]:
    with os.scandir(root) as entries:
        names = [e.name for e in entries if not e.name.startswith((".", "__"))]
    # Not the entries' own `is_dir`, which raises for a link that leads to itself.
    return [path for name in sorted(names) if (path := root / name).is_dir()]


def _readable_folders(folder: Path) -> list[Path]:
    try:
        return _folders(folder)
    except OSError:  # a stranger's folder, such as a disk's lost+found, is no reason to stop
        return []


def below(base: Path, pattern: str) -> Iterator[Path]:
    """Yield the files and folders at any depth below `base` whose name matches, hidden ones left out.

    Linked folders are gone into, as `Path.rglob` does from Python 3.13 on: beside an archive, every folder is a link.
    """
    for within, names in _walk(base, _refuse):
        if within and fnmatchcase(PurePosixPath(within).name, pattern):
            yield base / within
        yield from (base / within / name for name in names if not name.startswith(".") and fnmatchcase(name, pattern))


def images_below(folder: Path) -> list[Path]:
    """Return the image files in `folder` and below, sorted, hidden files and macOS leftovers left out."""
    return [folder / name for name in image_names(folder)]


def image_names(folder: Path) -> list[str]:
    """Return what `images_below` does, in its order, as POSIX paths relative to `folder`: text is made faster."""
    found = [within + name for within, names in _walk(folder, _refuse) for name in names if is_image(name)]
    return sorted(found, key=by_folder)


def _refuse(error: OSError) -> None:
    """Raise BrokenSource for a folder that may not be read: what is in it would be missing without a word.

    A folder that is not there is another matter: a copy of a dataset may lack it.
    """
    if isinstance(error, FileNotFoundError) or _of_the_disk(error):
        return
    raise BrokenSource(
        f"Cannot read the folder {error.filename}: {error.strerror}.",
        "Give yourself read access to it (chmod u+rx), or move it out of the dataset's folder.",
    ) from None


def _of_the_disk(error: OSError) -> bool:
    """Return whether a folder that may not be read is a whole disk's own, which holds nothing of a dataset."""
    return Path(os.fsdecode(error.filename)).name == "lost+found"


def by_folder(path: str) -> str:
    """Return what to sort POSIX paths by, so that they come folder by folder, as pathlib's do."""
    return path.replace("/", "\0")


def other_files(base: Path, known: Container[str], closed: list[OSError] | None = None) -> list[str]:
    """Return the files in `base` and below that are none of the `known` paths, relative to it, in text; sorted.

    What the system says of folders that may not be read is added to `closed`.
    """
    found: list[str] = []
    for within, names in _walk(base, None if closed is None else closed.append):
        found += [path for name in names if not name.startswith(".") and (path := within + name) not in known]
    if closed:
        closed[:] = [error for error in closed if not _of_the_disk(error)]
    return sorted(os.fsencode(path).decode(errors="backslashreplace") for path in found)


def endings(paths: Iterable[str]) -> dict[str, int]:
    """Return how many of the paths have which ending, in lower case, the commonest first."""
    found = (PurePosixPath(path).suffix.lower() for path in paths)
    counts = Counter(ending if _ENDING.fullmatch(ending) else "without an ending" for ending in found)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


_ENDING = re.compile(r"\.[a-z0-9]{1,8}")


def _walk(folder: Path, onerror: Callable[[OSError], None] | None) -> Iterator[tuple[str, list[str]]]:
    """Yield each folder below `folder`, and itself, as what stands before its files' names, and these names.

    Hidden folders are passed over. Linked folders are followed, so that what lies in one is met: where it leads out of
    the root, each picture in it is rejected by name. A link to a folder that it lies in would never end, and is passed
    over. `onerror` is called where a folder may not be read.
    """
    for parent, folders, names in os.walk(folder, onerror=onerror, followlinks=True):
        here = Path(parent)
        folders[:] = [
            name
            for name in folders
            if not name.startswith((".", "__"))
            and not ((here / name).is_symlink() and here.resolve().is_relative_to((here / name).resolve()))
        ]
        within = here.relative_to(folder).as_posix()
        yield "" if within == "." else f"{within}/", names


def relative(path: Path, base: Path) -> str:
    """Return `path` as a POSIX path relative to `base`."""
    return path.relative_to(base).as_posix()


def leads_out(path: str) -> bool:
    """Return whether a path, in POSIX or in Windows spelling, is absolute or leads upwards; nothing is looked up."""
    return escapes(path.replace("\\", "/")) or path.startswith("~")
