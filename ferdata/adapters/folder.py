"""Any folder of class folders, with or without train, val and test above them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from ferdata.errors import NotThisDataset
from ferdata.sources import NOT_STATED, Layout, Option, Sample, Skipped, Source, class_folders
from ferdata.sources.words import mapped_labels, read_labels, told_spellings

SOURCE = Source(
    name="folder",
    title="Class folders",
    homepage="",
    licence=NOT_STATED,
    citation="",
    access="Whoever has the images.",
    obtain=(
        "Put the images into one folder per class, named happy, 0_sad, traurig and so on; for other names write a "
        "TOML file with labels.",
        "Folders named train, val and test, train_set and similar may be above the class folders.",
        "Give the folder: ferdata ingest folder --root DIR --name NAME",
    ),
    place="anywhere",
    content="any images whose folder is their class",
    layouts=(
        Layout(
            "folders",
            ("*",),
            {},
            note="Classes and splits are the folders' names. Ingest prints how it read the names that are not "
            "exactly a class or split.",
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
    found = class_folders.look(base, own)
    if not found.classes and not found.unlabelled:
        raise NotThisDataset(f"There are no images in {base} or below.", "Point --root at the folder of images.")
    if not found.classes:
        raise NotThisDataset(
            f"{base} holds {found.unlabelled:,} images, but none in a class folder.",
            "Put them into one folder per class, or list their labels in a table: ferdata ingest csv",
        )
    labels = mapped_labels(found.classes, own, options, f"{base} has class folders", "images")
    told = filter(None, (found.told_splits(), told_spellings(labels, own)))
    return replace(layout, labels=labels, note="\n".join(told))


def samples(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Iterator[Sample | Skipped]:
    """Yield every image, its key its path; an image above the class folders is yielded without a label."""
    del layout  # there is one
    own = read_labels(SOURCE.option(options, "labels"))
    return class_folders.samples(base, own, SOURCE.option(options, "synthetic") == "yes")
