"""WebDataset: in each tar, files of one key are one sample: `0001.jpg` beside `0001.cls`, `0001.json` or `0001.txt`.

Ingest unpacks the tars, each into a folder of its name. Codes are named by a `classnames.txt`, a class a line, as
`img2dataset`'s and CLIP benchmark's sets have it; in JSON the label is under one of the usual names of a column.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ferdata.errors import BrokenSource, NotAFile, NotThisDataset
from ferdata.running.text_file import open_text
from ferdata.sources import Sample, Skipped, is_image
from ferdata.sources import column_names as usual
from ferdata.sources.left_out import or_left_out
from ferdata.sources.recognise import by_folder, other_files
from ferdata.sources.split_names import split_of_file
from ferdata.sources.tables import is_code

NAMES = "classnames.txt"
JSON_LABEL = ("cls", *usual.LABEL)


@dataclass(frozen=True)
class Keys:
    """The pictures of each key, with the files beside them; `classes` are those of `classnames.txt`."""

    base: Path
    pictures: Mapping[str, tuple[str, ...]]  # key -> paths relative to the base
    beside: Mapping[str, Mapping[str, str]]  # key -> ending, without its dot -> path
    classes: tuple[str, ...] | None

    def labels(self) -> Iterator[str]:
        """Yield every picture's label, of those that have one."""
        for key in self.pictures:
            with contextlib.suppress(BrokenSource, NotAFile):  # `samples` names it
                if (native := self._native(key)) is not None:
                    yield native

    def samples(self) -> Iterator[Sample | Skipped]:
        """Yield each picture, its key that of the tar; a second picture of one key is left out by name."""
        for key, (image, *others) in self.pictures.items():
            yield or_left_out(image, partial(self._sample, key, image))
            for other in others:
                yield Skipped(other, f"a second picture with the key {key}")

    def _sample(self, key: str, image: str) -> Sample:
        return Sample(key, image, native_label=self._native(key), official_split=split_of_file(f"{key}.x"))

    def _native(self, key: str) -> str | None:
        """Return the label of a key: what .cls says, else .json, else .txt. Raises BrokenSource."""
        files = self.beside.get(key, {})
        if "cls" in files:
            return self._named(_read(self.base / files["cls"]), files["cls"])
        if "json" in files:
            return self._of_json(files["json"])
        return self._named(_read(self.base / files["txt"]), files["txt"]) if "txt" in files else None

    def _of_json(self, path: str) -> str | None:
        try:
            found = json.loads(_read(self.base / path) or "{}")
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise BrokenSource(
                f"{self.base / path} is not a JSON object.", "Correct the file, or remove it from the tar."
            )
        label = next((found[name] for name in JSON_LABEL if found.get(name) is not None), None)
        return None if label is None else self._named(str(label), path)

    def _named(self, label: str, path: str) -> str | None:
        """Return the class that a code stands for, where there are names for codes."""
        if self.classes is None or not is_code(label):
            return label or None
        code = int(label)
        if not 0 <= code < len(self.classes):
            raise BrokenSource(
                f"{self.base / path}: {label} is not one of the {len(self.classes)} classes of {NAMES}.",
                "Is the list complete? Download it again.",
            )
        return self.classes[code]


def look(base: Path, options: Mapping[str, str | None]) -> tuple[Keys, list[str]]:
    """Return the keys below `base`, and sentences on what was found.

    Raises NotThisDataset where no picture has a label beside it, BrokenSource for two lists of classes.
    """
    del options  # keys and endings are the form's own
    pictures: dict[str, list[str]] = {}
    beside: dict[str, dict[str, str]] = {}
    lists = []
    for path in sorted(other_files(base, ()), key=by_folder):
        folder, _, name = path.rpartition("/")
        stem, _, ending = name.partition(".")
        key = f"{folder}/{stem}" if folder else stem
        if name.lower() == NAMES:
            lists.append(path)
        elif is_image(name):
            pictures.setdefault(key, []).append(path)
        elif ending.lower() in ("cls", "json", "txt"):
            beside.setdefault(key, {})[ending.lower()] = path
    if not pictures.keys() & beside.keys():
        raise NotThisDataset(
            f"{base} holds {len(pictures):,} pictures, but none with a label file of the same name (.cls, .json, "
            f".txt).",
            "If the folders are the classes: ferdata ingest folder; if a table lists them: ferdata ingest csv",
        )
    known = {path: tuple(_read(base / path).splitlines()) for path in lists}
    if len(set(known.values())) > 1:
        raise BrokenSource(f"{' and '.join(lists[:2])} are two lists of classes.", "Ingest each dataset separately.")
    classes = next(iter(known.values()), None)
    told = [f"{len(pictures):,} keys with a picture; " + (f"codes by {lists[0]}." if lists else f"no {NAMES}.")]
    return Keys(base, {key: tuple(paths) for key, paths in pictures.items()}, beside, classes), told


def _read(path: Path) -> str:
    """Return a small file's text without blanks around it. Raises BrokenSource."""
    try:
        with open_text(path) as file:
            return file.read().strip()
    except (OSError, UnicodeError) as error:
        raise BrokenSource(f"{path} cannot be read as text: {error}.", "Download the dataset again.") from None
