"""Every error that ferdata raises on purpose: one class per remedy, each with a hint that is an action.

FerdataError
├── DatasetMissing      the files are not there: obtain them, or say where they are
├── NotThisDataset      the folder holds something else: point at the right one
├── BrokenSource        a file of the dataset is damaged: mend or download it again
├── NotAFile            a pipe or a device where a file belongs: put the file there
├── UnknownLabel        a label that the declaration does not know: check the release, or keep it as null
├── NotAManifest        not a Parquet manifest of this schema version: make it again
│   └── DamagedManifest its bytes are not those that were written: restore it from a copy, or make it again
├── InvalidManifest     a manifest that breaks its own rules: all failures at once
├── ImagesMissing       the images a manifest points at have moved: name their root
├── AlreadyExists       the output is there: --force, or another name
├── CannotWrite         the output's folder refuses: another folder, rights, or disk space
├── BadOption           an option's value cannot work: what it may be
├── MissingExtra        a library that is not installed: the pip line
├── NoDatabase          FiftyOne has no MongoDB to talk to: which package, or FIFTYONE_DATABASE_URI
├── NoApp               FiftyOne's server does not start: give it more time, or another port
├── WorkersLost         processes that did the work are gone: free memory, go on with --resume
├── MissingModel        a model file that is not there, or not the known one: where to get it and put it
├── Leak                test shares faces with train: merge again, or --allow-leak
└── BrokenRun           a run folder or checkpoint that cannot be used: train again

FerdataWarning, a Python warning, is what goes on all the same, and why it is worth a word.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


LONGEST_LINE = 1_000  # characters; no sentence of ours has half as many, and a line of some file may have millions
LONGEST = 20_000  # characters of a whole message


def shortened(text: str) -> str:
    """Return `text`; of one that nobody could read to its end, the beginning, how much is left out, and the end."""
    if len(text) <= LONGEST_LINE:
        return text
    return _cut("\n".join(_cut(line, LONGEST_LINE) for line in text.split("\n")), LONGEST)


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    end = most // 5
    return f"{text[: most - end]} [... {len(text) - most:,} more characters ...] {text[-end:]}"


def listed(names: "Iterable[object]", most: int = 8) -> str:
    """Return `a, b, c` for a message; of more than `most`, the first and the number of the others."""
    words = [str(name) for name in names]
    cut = len(words) - most
    return ", ".join(words[:most]) + (f" and {cut:,} more" if cut > 0 else "")


def close_names(word: object, names: "Iterable[object]", most: int = 3) -> list[str]:
    """Return those of `names` that `word` may be meant for, the closest first; capitals, - and _ do not count.

    What is much further off than the closest is left out.
    """
    import difflib

    wanted, plain = _plain(word), {_plain(name): str(name) for name in names}
    found = difflib.get_close_matches(wanted, plain, most, cutoff=0.5)
    near = [difflib.SequenceMatcher(None, name, wanted).ratio() for name in found]
    return [plain[name] for name, likeness in zip(found, near, strict=True) if likeness > near[0] - 0.15]


def _plain(name: object) -> str:
    return str(name).casefold().replace("_", "-").replace("+", "plus")


def did_you_mean(word: object, names: "Iterable[object]") -> str:
    """Return `Did you mean a or b? ` for a hint, about a word that is none of `names`; "" where none is close."""
    close = close_names(word, names)
    return f"Did you mean {' or '.join(close)}? " if close else ""


def paths_like(path: "Path") -> str:
    """Return `Did you mean a or b? ` about a path that is not there: what is beside it, or where ferdata puts such."""
    places = [path.parent, *(path.parent / folder for folder in ("manifests", "runs"))]
    there = [place / found.name for place in places if place.is_dir() for found in sorted(place.iterdir())]
    same = [str(found) for found in there if found.name == path.name]
    like = close_names(path.stem, [found.stem for found in there if found.suffix == path.suffix])
    close = same or [str(found) for found in there if found.suffix == path.suffix and found.stem in like]
    return f"Did you mean {' or '.join(close[:3])}? " if close else ""


def choose_one(word: object, names: "Iterable[object]") -> str:
    """Return the hint for a word that is none of `names`: the close ones, and all of them."""
    known = list(names)
    return f"{did_you_mean(word, known)}Choose one of {', '.join(map(str, known))}."


class FerdataError(Exception):
    """An error with a remedy: `message` says what and where, `hint` says what to do.

    What they quote may be as long as a file: each is cut to what a person reads.
    """

    def __init__(self, message: str, hint: str) -> None:
        self.message, self.hint = shortened(message), shortened(hint)
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}"

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        # Errors cross from worker processes to the one that reports them.
        return type(self), (self.message, self.hint)


class DatasetMissing(FerdataError):
    """The dataset's files are not there."""


class NotThisDataset(FerdataError):
    """The folder holds something, but not this dataset."""


class BrokenSource(FerdataError):
    """A file of the dataset is damaged."""


class NotAFile(FerdataError):
    """A pipe, a socket or a device is where a file belongs."""


class UnknownLabel(FerdataError):
    """The source carries a label that its declaration does not know."""


class NotAManifest(FerdataError):
    """The file is no manifest of this schema version."""


class DamagedManifest(NotAManifest):
    """The bytes of a manifest are not those that were written."""


class InvalidManifest(FerdataError):
    """The manifest breaks rules of the schema; the message lists all of them."""


class ImagesMissing(FerdataError):
    """The images that a manifest points at are not where it says."""


class AlreadyExists(FerdataError):
    """The output is there already."""


class CannotWrite(FerdataError):
    """The output cannot be written."""


class BadOption(FerdataError):
    """An option's value cannot work."""


class MissingExtra(FerdataError):
    """A library of an extra is not installed."""


class NoDatabase(FerdataError):
    """FiftyOne's database is not there, or does not answer."""


class NoApp(FerdataError):
    """FiftyOne's server did not start in time."""


class WorkersLost(FerdataError):
    """Worker processes died: one of this machine, or those of a cluster more often than work is begun again."""


class MissingModel(FerdataError):
    """A model file is not there, or is not the one that is known."""


class Leak(FerdataError):
    """Test (or val) shares faces with train."""


class BrokenRun(FerdataError):
    """A run folder or a checkpoint cannot be used."""


class FerdataWarning(UserWarning):
    """Something is not as it should be, and the work goes on without it; the message says what to do about it."""
