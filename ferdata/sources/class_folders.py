"""Images in class folders, with or without folders for the splits above them: the label and the split of each."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ferdata.errors import BrokenSource, NotThisDataset, UnknownLabel
from ferdata.schema import Sample
from ferdata.sources.declaration import Skipped
from ferdata.sources.left_out import NO_TEXT
from ferdata.sources.recognise import below, by_folder, image_names
from ferdata.sources.words import both, classes_named, split_of, splits_named, told_splits


@dataclass(frozen=True)
class ClassFolders:
    """What the folders of a tree name: `classes` counts the images of each class folder by its name."""

    classes: Mapping[str, int]
    unlabelled: int
    names: frozenset[str]

    def told_splits(self) -> str:
        """Return which folders were read as splits, and which only look like one."""
        return told_splits(self.names)


def look(base: Path, own: Mapping[str, str]) -> ClassFolders:
    """Look at the folders of all images below `base`.

    Raises NotThisDataset for a tree of another form, and UnknownLabel or BrokenSource where the folders above an image
    name two classes or two splits: nobody can choose between them.
    """
    images = Counter(folder_of(image) for image in image_names(base))
    above = {folder: parts_of(folder) for folder in sorted(images, key=by_folder)}
    _refuse_boxes(base, above.values())
    torn = [folder for folder, names in above.items() if len(classes_named(names, own)) > 1]
    if torn:
        names = above[torn[0]]
        first = image_names(base / torn[0])[0]
        raise UnknownLabel(
            f"{sum(images[folder] for folder in torn):,} images are in folders that name two classes, the first "
            f"{'/'.join(names)}/{first}: {both(classes_named(names, own))}.",
            "Rename the folder that is not a class; or read it with `ferdata ingest folder --labels FILE`, where "
            "FILE is a "
            "TOML file with a table [labels] with the class folders only: other folders then count as no class.",
        )
    classes: Counter[str] = Counter()
    for folder, names in above.items():
        split_above(names)
        if (label := class_above(names, own)) is not None:
            classes[label] += images[folder]
    named = frozenset(name for names in above.values() for name in names)
    return ClassFolders(classes, images.total() - classes.total(), named)


def samples(base: Path, own: Mapping[str, str], synthetic: bool) -> Iterator[Sample | Skipped]:
    """Yield every image, its key its path; an image above the class folders is yielded without a label."""
    known: dict[str, tuple[str | None, str | None]] = {}
    for image in image_names(base):
        if not image.isprintable():  # also a name in bytes that are no UTF-8, which no manifest could hold
            yield Skipped(image, NO_TEXT)
            continue
        if (folder := folder_of(image)) not in known:
            above = parts_of(folder)
            known[folder] = class_above(above, own), split_above(above)
        label, split = known[folder]
        yield Sample(image, image, native_label=label, official_split=split, synthetic=synthetic)


def folder_of(image: str) -> str:
    """Return the folder of a POSIX path; nothing where it has none."""
    return image.rpartition("/")[0]


def parts_of(folder: str) -> tuple[str, ...]:
    """Return the names of the folders on a POSIX path."""
    return tuple(folder.split("/")) if folder else ()


def class_above(folders: Sequence[str], own: Mapping[str, str]) -> str | None:
    """Return the nearest of an image's folders that names a class, else the nearest that names no split, else None."""
    nearest = folders[::-1]
    return next(iter(classes_named(nearest, own).values()), next((f for f in nearest if not split_of(f)), None))


def split_above(folders: Sequence[str]) -> str | None:
    """Return the split that an image's folders name. Raises BrokenSource where they name two."""
    found = splits_named(folders)
    if len(found) > 1:
        raise BrokenSource(
            f"{'/'.join(folders)} is in folders that name two splits, {both(found)}.",
            "Rename the one that is not a split, or give the folder inside it as --root.",
        )
    return next(iter(found), None)


def _refuse_boxes(base: Path, above: Iterable[Sequence[str]]) -> None:
    """Raise NotThisDataset for a tree of YOLO: images/ beside labels/, whose text files hold classes and boxes."""
    for place in {names[:i] for names in above for i, name in enumerate(names) if name.casefold() == "images"}:
        if any(True for _ in below(base.joinpath(*place, "labels"), "*.txt")):
            raise NotThisDataset(
                f"{base.joinpath(*place)} is a dataset in YOLO format: images/ holds the pictures, labels/ a text file "
                "for each with the class's number and the box of each face; there are no class folders.",
                f"ferdata ingest detection --root {base}",
            )
