"""Any folder of class folders, with or without train, val and test above them."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from ferdata.errors import NotThisDataset, UnknownLabel
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
    read_labels,
    relative,
    split_of,
)

SOURCE = Source(
    name="folder",
    title="Class folders",
    homepage="",
    licence=NOT_STATED,
    citation="",
    access="Whoever has the images.",
    obtain=(
        "Put the images into one folder per class, named happy, sad and so on; for other names write a TOML map.",
        "Folders named train, val and test may stand above the class folders.",
        "Name the folder: ferdata ingest folder --root DIR --name NAME",
    ),
    place="anywhere",
    content="any images whose folder is their class",
    layouts=(Layout("folders", ("*",), {}, note="Classes and splits are the folders' names."),),
    options=(
        Option("name", "The dataset's name, the first half of its sample ids."),
        Option("labels", 'A TOML file with a table [labels] of lines like "Happy" = "happiness".'),
        Option("synthetic", "Whether the images are generated, not photographed.", "no", ("yes", "no")),
    ),
    generic=True,
)


def prepare(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Layout:
    """Return the layout with the folders' names mapped. Raises UnknownLabel, NotThisDataset, BadOption."""
    own = read_labels(SOURCE.option(options, "labels"))
    found = Counter(_class(path, base, own) for path in images_below(base))
    if not found:
        raise NotThisDataset(f"There are no images in {base} or below.", "Point --root at the folder of images.")
    unlabelled = found.pop(None, 0)
    if unlabelled and not found:
        raise NotThisDataset(
            f"{base} holds {unlabelled:,} images, but none in a class folder.",
            "Put them into one folder per class, or list their labels in a table: ferdata ingest csv",
        )
    mapped = {name: meaning(name, own) for name in sorted(n for n in found if n is not None)}
    strangers = [name for name, known in mapped.items() if known is None]
    if strangers and options.get(UNKNOWN_LABELS) != "keep":
        listed = ", ".join(f"{name!r} ({found[name]:,} images)" for name in strangers[:12])
        raise UnknownLabel(
            f"{base} has class folders of unknown meaning: {listed}.",
            "Say what they mean in a TOML file and add --labels FILE: a table [labels] with lines like "
            f'"{strangers[0]}" = "happiness" (or = "other", to keep them without a label). '
            "--unknown-labels keep takes all of them in without one.",
        )
    return replace(layout, labels={name: known for name, known in mapped.items() if known})


def samples(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Iterator[Sample | Skipped]:
    """Yield every image, its key its path; an image above the class folders is yielded without a label."""
    del layout  # there is one
    own = read_labels(SOURCE.option(options, "labels"))
    synthetic = SOURCE.option(options, "synthetic") == "yes"
    for path in images_below(base):
        image = relative(path, base)
        if not image.isprintable():  # also a name in bytes that are no UTF-8, which no manifest could hold
            yield Skipped(image.encode("unicode_escape", "surrogatepass").decode(), "a file name that is no text")
            continue
        splits = (split_of(part) for part in path.relative_to(base).parts[:-1])
        yield Sample(
            image,
            image,
            native_label=_class(path, base, own),
            official_split=next((split for split in splits if split), None),
            synthetic=synthetic,
        )


def _class(path: Path, base: Path, own: Mapping[str, str]) -> str | None:
    """Return the nearest folder that names a class, else the nearest that names no split, else None."""
    above = path.relative_to(base).parts[-2::-1]
    named = (part for part in above if meaning(part, own))
    return next(named, next((part for part in above if not split_of(part)), None))
