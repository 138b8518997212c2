"""Any folder of class folders, with or without train, val and test above them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ferdata.errors import BrokenSource, NotThisDataset, UnknownLabel
from ferdata.sources import (
    NOT_STATED,
    UNKNOWN_LABELS,
    Layout,
    Option,
    Sample,
    Skipped,
    Source,
    images_below,
    meaning,
    relative,
    split_of,
)
from ferdata.sources.words import (
    both,
    classes_named,
    read_labels,
    splits_named,
    told_spellings,
    told_splits,
    unknown_labels,
)

SOURCE = Source(
    name="folder",
    title="Class folders",
    homepage="",
    licence=NOT_STATED,
    citation="",
    access="Whoever has the images.",
    obtain=(
        "Put the images into one folder per class, named happy, 0_sad, traurig and so on; for other names write a TOML "
        "map.",
        "Folders named train, val and test, train_set and the like may stand above the class folders.",
        "Name the folder: ferdata ingest folder --root DIR --name NAME",
    ),
    place="anywhere",
    content="any images whose folder is their class",
    layouts=(
        Layout(
            "folders",
            ("*",),
            {},
            note="Classes and splits are the folders' names. Ingest prints "
            "which were not literally one and what they were read as.",
        ),
    ),
    options=(
        Option("name", "The dataset's name, the first half of its sample ids."),
        Option("labels", 'A TOML file with a table [labels] of lines like "Happy" = "happiness".'),
        Option("synthetic", "Whether the images are generated, not photographed.", "no", ("yes", "no")),
    ),
    generic=True,
)


def prepare(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Layout:
    """Return the layout with the folders' names mapped.

    Raises UnknownLabel, NotThisDataset, BadOption, and BrokenSource where a path names two splits.
    """
    own = read_labels(SOURCE.option(options, "labels"))
    folders = Counter(path.parent for path in images_below(base))
    if not folders:
        raise NotThisDataset(f"There are no images in {base} or below.", "Point --root at the folder of images.")
    above = {folder: folder.relative_to(base).parts for folder in sorted(folders)}
    _refuse_boxes(base, above.values())
    _refuse_two_classes(folders, above, own)
    found: Counter[str] = Counter()
    for folder, names in above.items():
        _split(names)
        if (label := _class(names, own)) is not None:
            found[label] += folders[folder]
    if not found:
        raise NotThisDataset(
            f"{base} holds {folders.total():,} images, but none in a class folder.",
            "Put them into one folder per class, or list their labels in a table: ferdata ingest csv",
        )
    mapped = {name: meaning(name, own) for name in sorted(found)}
    strangers = {name: found[name] for name, known in mapped.items() if known is None}
    if strangers and options.get(UNKNOWN_LABELS) != "keep":
        raise unknown_labels(f"{base} has class folders of unknown meaning", strangers, "images")
    labels = {name: known for name, known in mapped.items() if known}
    told = (told_splits(part for names in above.values() for part in names), told_spellings(labels, own))
    return replace(layout, labels=labels, note="\n".join(filter(None, told)))


def samples(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Iterator[Sample | Skipped]:
    """Yield every image, its key its path; an image above the class folders is yielded without a label."""
    del layout  # there is one
    own = read_labels(SOURCE.option(options, "labels"))
    synthetic = SOURCE.option(options, "synthetic") == "yes"
    known: dict[Path, tuple[str | None, str | None]] = {}
    for path in images_below(base):
        image = relative(path, base)
        if not image.isprintable():  # also a name in bytes that are no UTF-8, which no manifest could hold
            yield Skipped(image.encode("unicode_escape", "surrogatepass").decode(), "a file name that is no text")
            continue
        if path.parent not in known:
            above = path.relative_to(base).parts[:-1]
            known[path.parent] = _class(above, own), _split(above)
        label, split = known[path.parent]
        yield Sample(image, image, native_label=label, official_split=split, synthetic=synthetic)


def _class(above: Sequence[str], own: Mapping[str, str]) -> str | None:
    """Return the nearest folder that names a class, else the nearest that names no split, else None."""
    nearest = above[::-1]
    named = classes_named(nearest, own).values()
    return next(iter(named), next((part for part in nearest if not split_of(part)), None))


def _split(above: Sequence[str]) -> str | None:
    """Return the split that the folders above an image name. Raises BrokenSource where they name two."""
    found = splits_named(above)
    if len(found) > 1:
        raise BrokenSource(
            f"{'/'.join(above)} lies below folders that name two splits, {both(found)}.",
            "Rename the one that is none, or name the folder below it with --root.",
        )
    return next(iter(found), None)


def _refuse_two_classes(
    folders: Mapping[Path, int], above: Mapping[Path, Sequence[str]], own: Mapping[str, str]
) -> None:
    """Raise UnknownLabel where images lie below folders that name two classes: nobody can choose between them."""
    torn = [folder for folder, names in above.items() if len(classes_named(names, own)) > 1]
    if torn:
        names = above[torn[0]]
        first = next(path.name for path in images_below(torn[0]))
        raise UnknownLabel(
            f"{sum(folders[folder] for folder in torn):,} images lie below folders that name two classes, the first "
            f"{'/'.join(names)}/{first}: {both(classes_named(names, own))}.",
            "Say in a TOML file which folders are the classes, and add --labels FILE: a table [labels] with their "
            "names alone. Other folders on the same path then name none.",
        )


def _refuse_boxes(base: Path, above: Iterable[Sequence[str]]) -> None:
    """Raise NotThisDataset for a tree of YOLO: images/ beside labels/, whose text files hold classes and boxes."""
    for place in {names[:i] for names in above for i, name in enumerate(names) if name.casefold() == "images"}:
        if any(True for _ in base.joinpath(*place, "labels").rglob("*.txt")):
            raise NotThisDataset(
                f"{base.joinpath(*place)} is a dataset in YOLO's form: images/ holds the pictures, labels/ a text file "
                "for each with the class's number and the box of each face; there are no class folders.",
                "Write it as a table with the columns image, label, x, y, w, h (the box in pixels; data.yaml names the "
                "classes), and read that: ferdata ingest csv",
            )
