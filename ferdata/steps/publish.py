"""Publish: a manifest as a folder for the Hugging Face Hub, with Croissant, as far as its sources' terms allow it."""

import datetime
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ferdata.errors import BadOption, choose_one
from ferdata.manifest import Manifest
from ferdata.publishing import card, columns, croissant, files, terms
from ferdata.publishing.facts import Facts, gather
from ferdata.running import whole_folder
from ferdata.running.progress import bar
from ferdata.running.whole_file import write_whole
from ferdata.steps.share import share

SHARED = "shared.json"
OWN = (card.NAME, croissant.NAME, files.DATA, files.IMAGES, files.TABLE, SHARED)
REPO = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class Published:
    """What `publish` wrote: `splits` are the rows by the Hub's names of the splits, `forbidding` the sources that
    keep the pixels out, `size` the bytes of the files that hold rows."""

    out: Path
    form: str
    pixels: bool
    rows: int
    labelled: int
    splits: Mapping[str, int]
    licence: str
    forbidding: tuple[str, ...]
    files: int
    size: int
    fingerprint: str


def publish(
    manifest: Path | str,
    *,
    out: Path | str,
    form: str = files.FORMS[0],
    pixels: bool | None = None,
    licence: Sequence[str] = (),
    repo: str | None = None,
    force: bool = False,
    roots: Mapping[str, Path] | None = None,
) -> Published:
    """Write a manifest as the folder `out`, with a dataset card (README.md) and croissant.json that say the same.

    `form` is parquet (shards per split, which `datasets.load_dataset(out)` opens), csv (a table per split, images
    beside) or imagefolder (a folder per split and class). The images are in it where the terms of every source allow
    redistribution; `pixels` True refuses any other manifest, False leaves them out. Without them a shared file is in
    the folder, from which `rehydrate` rebuilds the whole. `licence` are `NAME=LICENCE` for one's own datasets, `repo`
    is the Hub's `OWNER/NAME` that it will have. Raises NotAManifest, BadOption, AlreadyExists, CannotWrite,
    ImagesMissing, and BrokenSource for an image that has changed since ingest.
    """
    if form not in files.FORMS:
        raise BadOption(f"--form cannot be {form!r}.", choose_one(form, files.FORMS))
    if repo is not None and not REPO.fullmatch(repo):
        raise BadOption(f"--repo cannot be {repo!r}.", "Give the Hub's name of it, OWNER/NAME.")
    opened, target = Manifest(Path(manifest)), Path(out)
    found = terms.of_sources(opened, licence)
    with_pixels = _with_pixels(found, form, pixels)
    places = opened.roots(roots)
    read = [opened.path, *(place for place in places.values() if place is not None)]
    whole_folder.check(target, force, read, OWN)
    places = opened.roots_there(roots) if with_pixels else places
    names = columns.present(opened, found)
    facts = gather(opened, found, names, out=target, form=form, pixels=with_pixels, repo=repo)
    with whole_folder.whole_folder(target, force) as temporary:
        if not with_pixels:
            share(opened.path, out=temporary / SHARED)
        written, memory = _write(opened, facts, temporary, places if with_pixels else None)
        write_whole(temporary / croissant.NAME, croissant.write(facts, written, datetime.date.today()))
        write_whole(temporary / card.NAME, card.write(facts, written, memory))
    return Published(
        target, form, with_pixels, facts.rows, facts.labelled, {s.name: s.rows for s in facts.splits}, facts.licence,
        tuple(t.dataset for t in found if t.redistribution is not True), len(written),
        sum(file.size for file in written), facts.fingerprint,
    )  # fmt: skip


def _with_pixels(found: Sequence[terms.Terms], form: str, pixels: bool | None) -> bool:
    """Return whether the images go into the folder. Raises BadOption where they are asked for, and may not."""
    forbidding = terms.forbidding(found)
    if forbidding and pixels:
        raise BadOption(
            f"--pixels: redistribution of the images is not allowed, or not known to be, by {forbidding}.",
            terms.remedy(found),
        )
    wanted = not forbidding if pixels is None else pixels
    if form == "imagefolder" and not wanted:
        why = f"may not be published: {forbidding}" if forbidding else "are left out by --no-pixels"
        raise BadOption(
            f"--form imagefolder is made of images, and these {why}.",
            "Use --form parquet or csv, which also have everything but the pixels.",
        )
    return wanted


def _write(
    opened: Manifest, facts: Facts, root: Path, places: Mapping[str, Path | None] | None
) -> tuple[list[files.File], Mapping[str, int]]:
    """Write the rows; return the files that hold them, and each split's bytes in memory."""
    schema = columns.schema(facts.names, facts.pixels)
    features = columns.features(facts.names, facts.classes, facts.pixels)
    form = files.make(facts.form, root, schema, features, facts.classes)
    memory: Counter[str] = Counter()
    try:
        with bar("publishing", facts.rows) as advance:
            for rows in columns.stream(opened, facts.names, columns.open_datasets(facts.terms), places):
                form.add(rows)
                memory[rows.split] += rows.table.nbytes
                advance(rows.table.num_rows)
    finally:
        written = form.close()
    return written, memory
