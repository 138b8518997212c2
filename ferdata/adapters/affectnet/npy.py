"""AffectNet's release of 2021: numbered pictures, each with four files of annotations."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ferdata.adapters.affectnet.values import affect, points
from ferdata.running.plain_file import open_plain
from ferdata.sources import Layout, Sample, Skipped, images_below, known, relative
from ferdata.sources.spelling import spelled

FOLDERS = {"train_set": "train", "val_set": "val"}


@dataclass(frozen=True, slots=True)
class _Notes:
    """The annotations of one picture of the npy release, four files each of one value or 136."""

    folder: Path
    stem: str

    def values(self, what: str) -> list[str]:
        """Return the values of one file as text, as some copies hold them. Raises ValueError, OSError."""
        with open_plain(self.folder / f"{self.stem}_{what}.npy") as file:
            # Never with pickle: it would run whatever a stranger put into the file.
            array = np.lib.format.read_array(file, allow_pickle=False)
        return [str(value) for value in np.ravel(array)]

    def number(self, what: str) -> float | None:
        """Return valence or arousal, None where it was not rated or the file is not there."""
        if not (self.folder / f"{self.stem}_{what}.npy").is_file():
            return None
        (value,) = self.values(what)
        return affect(float(value))

    def label(self) -> str | None:
        """Return the id of the expression, None where the file is not there."""
        if not (self.folder / f"{self.stem}_exp.npy").is_file():
            return None
        (value,) = self.values("exp")
        number = float(value)
        if not number.is_integer():
            raise ValueError(value)
        return str(int(number))

    def points(self) -> tuple[float, ...] | None:
        """Return 68 points."""
        if not (self.folder / f"{self.stem}_lnd.npy").is_file():
            return None
        return points(";".join(self.values("lnd")))


def samples(base: Path, layout: Layout) -> Iterator[Sample | Skipped]:
    """Read train_set and val_set, as far as they are there."""
    for name, split in FOLDERS.items():
        if (folder := spelled(base, name)).is_dir():
            yield from _of_split(base, folder, split, layout)


def _of_split(base: Path, folder: Path, split: str, layout: Layout) -> Iterator[Sample | Skipped]:
    """Read train_set or val_set, in the order of its numbers; a picture without `_exp.npy` comes unlabelled."""
    annotations, pictures = spelled(folder, "annotations"), spelled(folder, "images")
    images = {path.stem: path for path in images_below(pictures)}
    listed = {path.name.removesuffix("_exp.npy") for path in annotations.glob("[!.]*_exp.npy")}
    for stem in sorted({*images, *listed}, key=lambda s: (len(s), s)):
        key = f"{split}/{stem}"
        notes = _Notes(annotations, stem)
        try:
            label = notes.label()
            sample = Sample(
                key,
                relative(images.get(stem, pictures / f"{stem}.jpg"), base),
                valence=notes.number("val"),
                arousal=notes.number("aro"),
                landmarks=notes.points(),
                official_split=split,
            )
        except (ValueError, OSError, EOFError, MemoryError):  # a damaged header may claim any size
            yield Skipped(key, "annotations that cannot be read")
            continue
        named = label if label is None else known(label, layout, annotations / f"{stem}_exp.npy", 1)
        yield sample._replace(native_label=named)
