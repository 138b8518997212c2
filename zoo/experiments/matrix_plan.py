"""What a matrix compares: its rows and columns, checked before anything is trained, and what is not alike in them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferdata.errors import BadOption, FerdataError, Leak, did_you_mean, listed
from ferdata.manifest import Manifest
from zoo.data.rows import Rows, all_grey, natural_size, of_split, read_rows, recorded, sharing
from zoo.experiments.matrix_facts import Facts, facts
from zoo.options.options import TrainConfig
from zoo.training import resolve, sanity_checks

PAIRS, ALL, ALL_BUT_ONE = "pairs", "all", "all-but-one"
NAMED_ROWS = 3  # that an error names


@dataclass(frozen=True)
class Row:
    """What is trained on: the datasets, how many `images` their train has, and which `classes` these are of.

    `added` says that it stands beside its single datasets, so that what is gained by adding can be told.
    """

    name: str
    datasets: tuple[str, ...]
    images: int = 0
    classes: tuple[str, ...] = ()
    added: bool = False


@dataclass(frozen=True)
class Plan:
    """The rows; the classes of each test, by its dataset; the size of all images; and what there is to be told.

    `leaks` has, for a row and a test, how many images of the test have duplicates in the row's train, where that was
    allowed. `facts` are each dataset's own. `also` are rows of runs that were trained elsewhere.
    """

    rows: tuple[Row, ...]
    tests: Mapping[str, tuple[str, ...]]
    size: int | None
    notes: tuple[str, ...]
    leaks: Mapping[tuple[str, str], int]
    facts: Mapping[str, Facts]
    also: tuple[Row, ...] = ()

    def joined(self, also: Sequence[Row], leaks: Mapping[tuple[str, str], int], notes: Sequence[str]) -> "Plan":
        """Return the plan with rows of runs that were trained elsewhere, and what there is to be told of them."""
        return replace(self, also=tuple(also), leaks={**self.leaks, **leaks}, notes=(*self.notes, *notes))


def plan(
    manifest: Manifest,
    train: Sequence[str],
    test: Sequence[str],
    add: Sequence[str],
    config: TrainConfig,
    train_images: int | None,
    allow_leak: bool,
) -> Plan:
    """Return what is to be trained and tested. Raises BadOption for what cannot be compared, and Leak."""
    known = list(manifest.sources)
    if len(known) < 2:
        raise BadOption(
            f"{manifest.path} has one dataset, {listed(known)}, and a matrix compares two or more.",
            "Merge others with it: ferdata merge A.parquet B.parquet -o merged.parquet",
        )
    check_known(manifest, (*train, *test))
    everything = read_rows(manifest, None, None, config.targets)
    where = of_split(everything, config.targets)
    dataset = np.asarray(everything.table["dataset"].to_pylist(), np.str_)
    columns, notes = _columns(everything, where["test"], dataset, test or known)
    if test and (empty := [name for name in test if name not in columns]):
        raise BadOption(
            f"{listed(empty)} of {manifest.path} has no labelled test image (column {everything.split_source}).",
            "Leave it out of --test, or give it a test: ferdata split",
        )
    rows, left_out = _rows(manifest, train, known, add, config, train_images)
    cells = [(row, name) for row in rows for name in columns]
    if not any(name not in row.datasets and len(common(row, columns[name])) > 1 for row, name in cells):
        raise BadOption(
            f"No net of {listed(row.name for row in rows)} can be tested on another dataset: it needs a test of one "
            f"that it was not trained on, with two classes that both have. There are tests of {listed(columns)}.",
            "Name others with --train and --test, or merge them under one taxonomy: ferdata merge --taxonomy basic7",
        )
    used = sorted({*columns, *(name for row in rows for name in row.datasets)})
    own = facts(everything, where["train"], dataset, used)
    leaks = check_leaks(everything, where, dataset, rows, columns, allow_leak)
    size = config.size
    if size is None and config.init is None:
        size = resolve.check_names(config).size or natural_size(everything, np.concatenate(list(where.values())))
    told = [*notes, *left_out, *unlike(everything, where, dataset, used, config)]
    told += [
        f"{n:,} test images of {name} have duplicates in {row}'s train: allowed" for (row, name), n in leaks.items()
    ]
    return Plan(tuple(rows), columns, size, tuple(told), leaks, own)


def check_known(manifest: Manifest, names: Iterable[str]) -> None:
    """Raise BadOption, with close names, for a dataset that the manifest has not."""
    known = list(manifest.sources)
    for name in names:
        if name not in known:
            raise BadOption(
                f"{manifest.path} has no dataset {name}.", f"{did_you_mean(name, known)}It has {', '.join(known)}."
            )


def _columns(
    rows: Rows, test: NDArray[np.intp], dataset: NDArray[np.str_], wanted: Sequence[str]
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Return the classes of each test of the wanted datasets that have one, and a word on the others."""
    found = {}
    for name in dict.fromkeys(wanted):
        labels = np.unique(rows.hard[test[dataset[test] == name]])
        if len(labels):
            found[name] = tuple(rows.taxonomy.classes[c] for c in labels)
    lacking = [name for name in wanted if name not in found]
    return found, [f"{listed(lacking)}: no labelled test image, so that nothing is tested on it"] if lacking else []


def _rows(
    manifest: Manifest,
    train: Sequence[str],
    known: Sequence[str],
    add: Sequence[str],
    config: TrainConfig,
    train_images: int | None,
) -> tuple[list[Row], list[str]]:
    """Return the rows, and a word on each dataset that cannot be trained on. Raises BadOption for one that is named."""
    rows, notes = [], []
    for name in dict.fromkeys(train or known):
        try:
            rows.append(_row(manifest, Row(name, (name,)), config, train_images))
        except FerdataError as error:
            mend = "Leave it out: name those to train on with --train A,B"
            if train:
                raise BadOption(f"{name} cannot be trained on. {error.message}", f"{error.hint}\n{mend}") from None
            notes.append(f"{name} is only tested on, since it cannot be trained on: {error.message}")
    if not rows:
        raise BadOption(f"{manifest.path} has no dataset that can be trained on. {notes[0]}", "Give it splits.")
    singles = [row.name for row in rows]
    both = [_row(manifest, row, config, train_images) for row in combined(add, singles, known)]
    return [*rows, *both], notes


def _row(manifest: Manifest, row: Row, config: TrainConfig, train_images: int | None) -> Row:
    """Return a row with its images and classes. Raises BadOption where it cannot be trained on."""
    rows = read_rows(manifest, row.datasets, None, config.targets)
    where = of_split(rows, config.targets)
    sanity_checks.check_splits(rows, where)
    sanity_checks.check_val(rows, len(where["val"]), config.select)
    sanity_checks.check_scenes(rows, where)
    if train_images is not None and train_images > len(where["train"]):
        raise BadOption(
            f"{row.name} has {len(where['train']):,} train images, fewer than --equal-images {train_images}.",
            f"Give --equal-images {len(where['train'])} or fewer.",
        )
    where = of_split(rows, config.targets, train_images)
    sanity_checks.check_classes(rows, where)
    taught = rows.soft[where["train"]].sum(0) > 0
    classes = tuple(name for name, there in zip(rows.taxonomy.classes, taught, strict=True) if there)
    return Row(row.name, row.datasets, len(where["train"]), classes, row.added)


def combined(add: Sequence[str], singles: Sequence[str], known: Sequence[str]) -> list[Row]:
    """Return the rows of --add, none twice. Raises BadOption for one that names no two datasets."""
    rows: dict[frozenset[str], Row] = {}

    def put(name: str, datasets: Sequence[str], added: bool) -> None:
        if len(datasets) > 1:
            rows.setdefault(frozenset(datasets), Row(name, tuple(datasets), added=added))

    for word in add:
        if word in (PAIRS, ALL, ALL_BUT_ONE) and len(singles) < 2:
            raise BadOption(f"--add {word}: only {listed(singles)} can be trained on.", "Leave it out.")
        if word == PAIRS:
            for pair in combinations(singles, 2):
                put("+".join(pair), pair, True)
        elif word == ALL:
            put("all together", singles, True)
        elif word == ALL_BUT_ONE:
            for name in singles:
                put(f"all but {name}", [other for other in singles if other != name], False)
        else:
            put(word, sums(word, known), True)
    return list(rows.values())


def sums(word: str, known: Sequence[str]) -> list[str]:
    """Return the datasets of A+B, whose names may have a + of their own. Raises BadOption."""

    def parts(rest: str) -> list[str] | None:
        if rest in known:
            return [rest]
        for name in known:
            if rest.startswith(f"{name}+") and (others := parts(rest[len(name) + 1 :])):
                return [name, *others]
        return None

    found = parts(word)
    if found is None or len(set(found)) < 2:
        meant = did_you_mean(word.split("+")[-1], known)
        raise BadOption(
            f"--add cannot be {word}.",
            f"{meant}Give two datasets or more, such as {'+'.join(known[:2])}; or {PAIRS}, {ALL}, {ALL_BUT_ONE}.",
        )
    return found


def common(row: Row, test: Sequence[str]) -> list[str]:
    """Return the classes that a row's train and a test have, in the order of the taxonomy."""
    return [name for name in row.classes if name in test]


def check_leaks(
    rows: Rows,
    where: Mapping[str, NDArray[np.intp]],
    dataset: NDArray[np.str_],
    asked: Sequence[Row],
    tests: Iterable[str],
    allow: bool,
) -> dict[tuple[str, str], int]:
    """Return how many images of each test have duplicates in a row's train. Raises Leak if any, unless allowed."""
    train, test = where["train"], where["test"]
    found, named = {}, {}
    for row in asked:
        ours = train[np.isin(dataset[train], row.datasets)]
        for name in tests:
            theirs = test[dataset[test] == name]
            if count := int((tainted := sharing(rows, ours, theirs)).sum()):
                found[row.name, name] = count
                named[row.name, name] = rows.table["sample_id"].take(theirs[tainted][:NAMED_ROWS]).to_pylist()
    if found and not allow:
        told = "; ".join(
            f"{count:,} of {name} in that of {row} ({', '.join(named[row, name])}{', ...' * (count > NAMED_ROWS)})"
            for (row, name), count in found.items()
        )
        raise Leak(
            f"Test images have duplicates in train, by group or by pixels: {told}.",
            f"Remove the overlap: ferdata merge {rows.manifest.path} -o merged.parquet\n"
            "Or add --allow-leak, and the report will say so.",
        )
    return found


def unlike(
    rows: Rows,
    where: Mapping[str, NDArray[np.intp]],
    dataset: NDArray[np.str_],
    used: Sequence[str],
    config: TrainConfig,
) -> list[str]:
    """Return what differs between the datasets beside their faces: how these were cut, and grey against colour."""
    every = np.concatenate(list(where.values()))
    grey = [name for name in used if all_grey(rows, every[dataset[every] == name])]
    notes = crops({name: recorded(rows.manifest, [name]) for name in used})
    if grey and len(grey) < len(used):
        colour = [name for name in used if name not in grey]
        even = "evened by --channels 1" if config.channels == 1 else "--channels 1 evens that"
        notes.append(f"{listed(grey)}: grey; {listed(colour)}: colour; {even}")
    return notes


def crops(cut: Mapping[str, Mapping[str, Any] | None]) -> list[str]:
    """Return in words how the faces of each dataset were cut, where that may cost more than the choice of a dataset."""
    ways: dict[str, list[str]] = {}
    for name, how in cut.items():
        word = "as published" if how is None else "cut in several ways" if "mixed" in how else "cut by ferdata align"
        ways.setdefault(word if how is None else f"{word} {sorted(how.items())}", []).append(name)
    told = "; ".join(f"{listed(names)}: {way.partition(' [')[0]}" for way, names in ways.items())
    if len(ways) > 1:
        return [f"crops differ ({told}): a crop can cost more points than a dataset; ferdata align cuts all alike"]
    if None in cut.values():
        return ["crops are as published, each publisher's own: they may cost points; ferdata align cuts all alike"]
    return [] if "mixed" not in told else [f"crops differ within the datasets ({told})"]
