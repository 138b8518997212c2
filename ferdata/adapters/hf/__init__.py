"""Datasets in the forms of the Hugging Face Hub: Parquet shards, an imagefolder with metadata, WebDataset tars.

The forms are those of the documentation of `datasets` (Image, ClassLabel, imagefolder, WebDataset).
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from ferdata.adapters.hf import imagefolder, shards, webdataset
from ferdata.sources import NOT_STATED, Layout, Option, Sample, Skipped, Source
from ferdata.sources.words import mapped_labels, read_labels, told_spellings

FORMS: Mapping[str, ModuleType] = {"parquet": shards, "imagefolder": imagefolder, "webdataset": webdataset}

SOURCE = Source(
    name="hf",
    title="A dataset in the format of the Hugging Face Hub",
    homepage="",
    licence=NOT_STATED,
    citation="",
    access="Whoever has the images; the terms are on the dataset's page on the Hub.",
    obtain=(
        "Download the dataset's files as they are, such as train-00000-of-00001.parquet, into one folder.",
        "Give the folder, or a single file: ferdata ingest hf --root DIR --name NAME",
    ),
    place="anywhere",
    content="pictures in Parquet shards, beside a metadata.csv, .jsonl or .parquet, or in WebDataset tars",
    layouts=(
        Layout("imagefolder", ("**/metadata.[cjp]*[vlt]",), {}, note="Splits are the names of folders."),
        Layout(
            "parquet",
            ("**/*.parquet",),
            {},
            note="Pictures are kept as the bytes that the shards hold. Splits are the names of files and folders.",
        ),
        Layout("webdataset", ("**/*.[cjt][lsx][sot]*",), {}, note="Splits are the names of the tars."),
    ),
    options=(
        Option("name", "The dataset's name, the first half of its sample ids."),
        Option("image_column", "Which column holds the pictures; by default the only one that does."),
        Option(
            "label_column", "Which column holds the labels; by default the one with class names, or with a usual name."
        ),
        Option(
            "labels", 'A TOML file with a table [labels] of lines like "Happy" = "happiness", or "3" = "happiness".'
        ),
    ),
    generic=True,
    files=(".parquet",),
)


def prepare(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Layout:
    """Return the layout with its files as they are read, and their labels mapped.

    Raises UnknownLabel, BrokenSource, BadOption, NotThisDataset.
    """
    own = read_labels(SOURCE.option(options, "labels"))
    found, told = FORMS[layout.name].look(base, options)
    labels = mapped_labels(Counter(found.labels()), own, options, f"{base} has labels", "rows")
    note = "\n".join(filter(None, (layout.note, *told, told_spellings(labels, own))))
    return replace(layout, labels=labels, note=note, found=found, holds=getattr(found, "files", ()))


def samples(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Iterator[Sample | Skipped]:
    """Yield the rows in the order of files and lines."""
    del base, options  # all of it is in what was found
    yield from layout.found.samples()
