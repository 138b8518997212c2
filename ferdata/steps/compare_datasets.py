"""Compare datasets: how sets of faces differ, and how far apart they are, without training on any."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ferdata import manifest as manifests
from ferdata.comparing import distance, page
from ferdata.comparing.between import Between, compare_pairs, same_pictures
from ferdata.comparing.facts import Facts, facts
from ferdata.comparing.look import Features, Looked, any_rows, independent_rows, look
from ferdata.comparing.notes import notes
from ferdata.comparing.sets import Sets, open_sets
from ferdata.errors import BadOption, ImagesMissing

IMAGES = (distance.LEAST, 10_000)


@dataclass(frozen=True)
class Compared:
    """The facts of each set, what each two of them share, what their distances are of (`by`), and what to beware of."""

    sets: tuple[Facts, ...]
    between: tuple[Between, ...]
    taxonomy: str
    by: str
    notes: tuple[str, ...]
    out: Path | None


def compare_datasets(
    *paths: Path | str,
    out: Path | str | None = None,
    taxonomy: str | None = None,
    features: Features | None = None,
    pixels: bool = True,
    images: int = 2000,
    seed: int = 0,
    workers: int | None = None,
    force: bool = False,
) -> Compared:
    """Compare two or more manifests, or the datasets of a single one; with `out`, write a page of HTML about it.

    `features` makes the numbers that distances are of (`zoo.features(RUN)` does, with a net); without, they are what
    ingest measured of the images. Of each set at most `images` are drawn, by `seed`, for its share of grey and blurred
    images, and of those of different people, clips and pictures as many for the distance. Without `pixels` no image is
    read: pictures are shared if their pixels are equal. `workers` is how many processes look for near copies, one per
    core by default. Raises BadOption, NotAManifest, UnknownLabel, ImagesMissing, BrokenSource, AlreadyExists,
    CannotWrite.
    """
    target = Path(out) if out else None
    _check(target, paths, features, pixels, images, force)
    sets = open_sets(paths, taxonomy)
    try:
        picture = same_pictures(sets, pixels, workers)
        alone, drawn = independent_rows(sets, picture, images, seed), any_rows(sets, images, seed)
        seen = look(sets, np.union1d(drawn, alone), features, alone) if pixels else None
    except ImagesMissing as error:
        raise ImagesMissing(error.message, f"{error.hint}\nOr compare without reading any: --no-pixels") from None
    rows, values, by = _numbers(sets, alone, features, seen)
    each = tuple(facts(sets, k, seen and seen.at(drawn)) for k in range(len(sets.names)))
    between = tuple(compare_pairs(sets, picture, rows, values, seed))
    found = Compared(each, between, sets.taxonomy.name, by, tuple(notes(each, between, sets.merged)), target)
    if target is not None:
        page.write(target, sets, each, between, by, found.notes, seen)
    return found


def _check(
    target: Path | None,
    inputs: tuple[Path | str, ...],
    features: Features | None,
    pixels: bool,
    images: int,
    force: bool,
) -> None:
    """Raise now, before the work, what options cannot mean."""
    if target is not None:
        if target.suffix.lower() not in (".html", ".htm"):
            raise BadOption(f"The page cannot be {target.name}.", "Name an HTML file: -o compare.html")
        manifests.check_output(target, force, [Path(path) for path in inputs])
    if not IMAGES[0] <= images <= IMAGES[1]:
        raise BadOption(f"--images cannot be {images:,}.", f"Use {IMAGES[0]} to {IMAGES[1]:,}; 2,000 are usual.")
    if features is not None and not pixels:
        raise BadOption("A net reads pixels, and --no-pixels reads none.", "Leave out --net or --no-pixels.")


def _numbers(
    sets: Sets, alone: NDArray[np.int64], features: Features | None, seen: Looked | None
) -> tuple[NDArray[np.int64], NDArray[np.floating], str]:
    """Return the rows that distances are of, the numbers of each, and what these are."""
    if seen is None:
        return distance.pixel_statistics(sets, alone, None)
    shown = seen.at(alone)
    if features is None or shown.features is None:
        return distance.pixel_statistics(sets, shown.rows, shown.detail)
    return shown.rows, shown.features, features.name
