"""RAF-DB as its owners give it: a list of labels, folders of images, annotations; two sets in the same form."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ferdata.adapters.rafdb.annotations import Annotations, read_text
from ferdata.adapters.rafdb.names import COMPOUND_NAMES, ONLY_COMPOUND, WORDS, split_in_name
from ferdata.errors import BrokenSource
from ferdata.sources import Layout, Sample, Skipped, broken, is_image, known, relative
from ferdata.sources.left_out import or_left_out
from ferdata.sources.spelling import in_any_case, spelled

LIST = "EmoLabel/list_patition_label.txt"  # the publishers' own spelling
BASIC, SECOND = "*[bB]asic*", "*[cC]ompound*"  # their folders, under whichever prefix


def set_folder(base: Path, compound: bool) -> Path:
    """Return the folder of one of the sets: below `base`, or `base` itself."""
    below = sorted(base.glob(in_any_case(SECOND if compound else BASIC)))
    return next((folder for folder in below if spelled(folder, LIST).is_file()), base)


def is_compound(folder: Path) -> bool:
    """Return whether a set is the compound one: only its codes go to 11, and its images' numbers are shorter.

    Raises BrokenSource where the folder is named after the other set, since one of the two is wrong then.
    """
    path = spelled(folder, LIST)
    rows = [row for _, row in _read_list(path)]
    codes = {code for _, _, code in rows}
    short = bool(rows) and all(re.fullmatch(COMPOUND_NAMES, name) for name, _, _ in rows)
    compound = short or codes >= ONLY_COMPOUND
    this, other = ("compound", "basic") if compound else ("basic", "compound")
    name = folder.resolve().name.casefold()
    if other in name and this not in name:
        raise BrokenSource(
            f"{path} is the list of the {this} set, by its codes and its images' names, but {folder} is named after "
            f"the {other} one.",
            f"If it is the {this} set, rename the folder.",
        )
    return compound


def check_compound_codes(folder: Path, layout: Layout) -> None:
    """Raise UnknownLabel, with file and line, for a code that the compound set has not.

    Such a code is never kept without a label: somebody has numbered the classes anew, and all of them.
    """
    path = spelled(folder, LIST)
    for line, (_, _, code) in _read_list(path):
        known(f"compound {code}", layout, path, line)


@dataclass(frozen=True)
class Tree:
    """One set's official tree, below `base` or the same; `compound` says which set."""

    base: Path
    folder: Path
    compound: bool
    original: bool
    auto: bool

    def samples(self, layout: Layout) -> Iterator[Sample | Skipped]:
        """Read the list of labels; an image that the list does not name is yielded without a label."""
        images = self._images()
        ending = "" if self.original else "_aligned"
        files = {path.name: path for path in images.iterdir() if is_image(path.name)}
        listed: set[str] = set()
        notes = Annotations(spelled(self.folder, "Annotation"), self.original, self.auto)
        path = spelled(self.folder, LIST)
        word, key = ("compound ", "compound/") if self.compound else ("", "")
        for line, (name, part, code) in _read_list(path):
            stem, dot, suffix = name.rpartition(".")
            if stem in listed:
                raise broken(path, line, f"{name} for the second time")
            listed.add(stem)
            split = split_in_name(name, path, line)
            if part not in (None, split):
                raise broken(path, line, f"{name} in {part}, but its name gives the other split")
            file = f"{stem}{ending}{dot}{suffix}"
            found = files.pop(file, None)
            label = known(word + code, layout, path, line)
            sample = Sample(key + stem, relative(found or images / file, self.base), native_label=label)
            row = sample._replace(official_split=split, compound_label=WORDS.get(label))
            yield or_left_out(str(sample.image), partial(notes.of, stem, row))
        for name in sorted(files):
            yield Sample(f"{key}unlisted/{Path(name).stem}", relative(files[name], self.base))

    def _images(self) -> Path:
        name, other = ("original", "aligned") if self.original else ("aligned", "original")
        folder = spelled(self.folder, f"Image/{name}")
        if not folder.is_dir():
            raise BrokenSource(f"There is no folder {folder}.", f"Unpack {name}.zip into it, or use --faces {other}.")
        return folder


def _read_list(path: Path) -> Iterator[tuple[int, tuple[str, str | None, str]]]:
    """Yield line, name, split and code; one copy is told to have the split as a column between the two."""
    for number, line in enumerate(read_text(path).splitlines(), 1):
        cells = line.split()
        if not cells:
            continue
        if len(cells) not in (2, 3) or "." not in cells[0]:
            raise broken(path, number, f"{line[:60]!r}, expected an image name and a label")
        yield number, (cells[0], cells[1] if len(cells) == 3 else None, cells[-1])
