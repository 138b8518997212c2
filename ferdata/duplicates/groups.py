"""Which rows show the same picture, person or clip, and so must never stand on two sides of a split."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ferdata.duplicates.components import connected
from ferdata.duplicates.find import find
from ferdata.duplicates.label_conflicts import most_versions, pictures
from ferdata.duplicates.scenes import are_scenes
from ferdata.errors import BadOption, did_you_mean
from ferdata.manifest import Manifest
from ferdata.schema import SPLITS

BY = ("pixels", "near", "subject", "sequence")
GROUP_COLUMNS = (
    "sample_id", "dataset", "pixel_hash", "phash", "subject", "sequence", "frame", "face_box", "alignment", "width",
    "height", "contrast", "official_split",
)  # fmt: skip
MOST = 0.2  # JAFFE's most photographed person has a tenth of its rows; twice that is no person any more
FEW = 100  # rows: in smaller groups a share says nothing
SHOWN = 12  # links of a chain
BLANK = 0.03  # contrast, below which `audit` calls a picture blank too
Pairs = NDArray[np.int64]


@dataclass(frozen=True)
class Groups:
    """The groups of a table: `group` is int64 (rows), numbered from 0 by first appearance; `picture` likewise.

    `identical` counts the sets of two or more rows with the same pixels, `images` the rows in them, `across` those
    that stand in several official splits, by the splits' names (`train-test`); `groups_across` counts groups so,
    whatever joins them. `near` is how many pairs of near duplicates were taken in; `versions` how many different
    pictures they make one at most, `versions_of` the first row of those. `scenes` counts the rows that show
    more than a face (`ferdata.duplicates.scenes`).
    """

    group: NDArray[np.int64]
    picture: NDArray[np.int64]
    count: int
    largest: int
    largest_of: str
    identical: int
    images: int
    across: Mapping[str, int]
    groups_across: Mapping[str, int]
    near: int
    versions: int
    versions_of: str
    scenes: int


def group_rows(
    manifests: Sequence[Manifest],
    table: pa.Table,
    *,
    by: Sequence[str] = BY,
    thorough: bool = False,
    most: float = MOST,
    workers: int | None = None,
) -> Groups:
    """Group the rows of `manifests`, whose GROUP_COLUMNS `table` has, one manifest after the other.

    This is what `ferdata group` and `ferdata merge` both do. Raises BadOption as `find_groups` does, ImagesMissing and
    BrokenSource.
    """
    reasons = checked_reasons(by)
    pairs = find(manifests, table, thorough=thorough, workers=workers) if "near" in reasons else None
    return find_groups(table, by=reasons, pairs=pairs, most=most)


def find_groups(table: pa.Table, *, by: tuple[str, ...] = BY, pairs: Pairs | None = None, most: float = MOST) -> Groups:
    """Group rows that have the same pixels, picture, subject or clip; connected, so a chain is one group.

    `table` has GROUP_COLUMNS; `pairs`, int64 (n, 2), are its near copies. Subjects and clips are those of one dataset.
    Raises BadOption for an unknown reason in `by`, and if a group has more than the share `most` of the rows, with the
    chain that built it.
    """
    links = _links(table, checked_reasons(by), pairs)
    n = table.num_rows
    numbered = connected(n, np.concatenate([*links.values(), np.zeros((0, 2), np.int64)]))
    sizes = np.bincount(numbered, minlength=1)
    biggest = int(sizes.argmax())
    top = int(np.argmax(numbered == biggest)) if n else 0
    if sizes[biggest] > max(most * n, FEW):
        raise _swallowed(table, links, np.flatnonzero(numbered == biggest), most)
    identical, images, across = _identical(table)
    versions, first = most_versions(table, pairs)
    return Groups(
        group=numbered,
        picture=pictures(table, pairs),
        count=int(numbered.max(initial=-1)) + 1,
        largest=int(sizes.max()) if n else 0,
        largest_of=str(table["sample_id"][top]) if n else "",
        identical=identical,
        images=images,
        across=across,
        groups_across=across_sides(table["official_split"], numbered),
        near=len(links["near"]) if "near" in links else 0,
        versions=versions,
        versions_of=str(table["sample_id"][first]) if n else "",
        scenes=int(are_scenes(table).sum()),
    )


def checked_reasons(by: Sequence[str]) -> tuple[str, ...]:
    """Return the reasons of `by` in the order of BY. Raises BadOption for one that is none, or for no reason."""
    strange = [word for word in by if word not in BY]
    if strange or not by:
        raise BadOption(
            f"Rows cannot be grouped by {', '.join(map(repr, strange)) or 'nothing'}.",
            f"{did_you_mean(strange[0], BY) if strange else ''}Choose from {','.join(BY)}, with commas between.",
        )
    return tuple(word for word in BY if word in by)


def _links(table: pa.Table, by: tuple[str, ...], pairs: Pairs | None) -> dict[str, Pairs]:
    """Return, by reason, the pairs of rows that belong together, int64 (n, 2): each row with the first of its key."""
    links = {}
    for word in by:
        if word == "near":
            links[word] = np.zeros((0, 2), np.int64) if pairs is None else pairs
        elif word == "pixels":
            links[word] = _to_first(table["pixel_hash"])
        else:  # a person or a clip, whoever is in it; null where none is named
            links[word] = _to_first(pc.binary_join_element_wise(table["dataset"], table[word], "\n"))
    return links


def _to_first(column: pa.ChunkedArray) -> Pairs:
    """Return, for rows whose key stood before, the row and the first row with that key; null keys join nothing."""
    coded = column.combine_chunks().dictionary_encode()
    rows = np.flatnonzero(coded.is_valid().to_numpy(zero_copy_only=False))
    codes = coded.indices.drop_null().to_numpy()
    first = np.empty(len(coded.dictionary), np.int64)
    first[codes[::-1]] = rows[::-1]  # of several values for one place, the last one stays
    earliest = first[codes]
    later = earliest != rows
    return np.stack([rows[later], earliest[later]], axis=1)


def _swallowed(table: pa.Table, links: Mapping[str, Pairs], members: NDArray[np.int64], most: float) -> BadOption:
    """Return the error for a group that is too large: the chain from its first row to the one furthest from it."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import breadth_first_order

    local, why = [], []
    for word, pairs in links.items():
        inside = pairs[np.isin(pairs[:, 0], members)]
        local.append(np.searchsorted(members, inside))
        why += [word] * len(inside)
    ends = np.concatenate(local)
    n = len(members)
    graph = coo_array((np.ones(len(ends), np.int8), (ends[:, 0], ends[:, 1])), shape=(n, n))
    order, before = breadth_first_order(graph.tocsr(), 0, directed=False)
    reason = {(int(a), int(b)): w for (a, b), w in zip(ends.tolist(), why, strict=True)}
    at, steps = int(order[-1]), []
    while at != 0:
        previous = int(before[at])
        steps.append((reason.get((at, previous)) or reason[previous, at], at))
        at = previous
    path = [(word, int(members[row])) for word, row in reversed(steps)]
    chain = "\n".join(_chain(table, int(members[0]), path))
    return BadOption(
        f"One group has {n:,} of {table.num_rows:,} rows, more than the share {most:g}. This chain joins its first "
        f"row to the row furthest from it:\n{chain}",
        "\n".join(_ways_out(table, path)),
    )


def _ways_out(table: pa.Table, path: Sequence[tuple[str, int]]) -> Iterator[str]:
    """Yield what to do about a chain, the likeliest first."""
    if any(word == "pixels" and _is_blank(table, row) for word, row in path):
        yield (
            "Blank pictures are joined since they are identical. Exclude them, and report it where they were in an "
            "official test: frame = ferdata.to_frame(M); "
            f"ferdata.from_frame(frame[frame.contrast >= {BLANK}], like=M, out=...)"
        )
    if any(word == "near" for word, _ in path):
        yield "If they show one place with different faces, align first: ferdata align M -o aligned.parquet"
    yield (
        "If they do belong together, raise --most. If not, correct what joins them in the dataset: leaving it out of "
        "--by, as in --by pixels,sequence, would let the same person or picture into train and test."
    )


def _is_blank(table: pa.Table, row: int) -> bool:
    contrast = table["contrast"][row].as_py()
    return contrast is not None and contrast < BLANK


def _chain(table: pa.Table, first: int, steps: Sequence[tuple[str, int]]) -> Iterator[str]:
    """Yield the links of a chain as lines; links through one person, clip or picture are one."""

    def cell(name: str, row: int) -> str:
        return str(table[name][row])

    yield f"  {cell('sample_id', first)}"
    meaning = {"pixels": "same pixels", "near": "near duplicate"}
    for k, (word, row) in enumerate(steps[:SHOWN]):
        if word != "near" and k + 1 < len(steps) and steps[k + 1][0] == word:
            continue  # both hang on the first row with that key
        what = meaning.get(word) or f"{word} {cell(word, row)}"
        if word == "pixels" and _is_blank(table, row):
            what += ", a blank picture"
        yield f"  - {what} - {cell('sample_id', row)}"
    if len(steps) > SHOWN:
        yield f"  ... and {len(steps) - SHOWN:,} more links"


def across_sides(split: pa.ChunkedArray, numbered: NDArray[np.int64]) -> dict[str, int]:
    """Count the groups that stand in several of `split`'s sides, by the sides' names."""
    side = pc.fill_null(pc.index_in(split, pa.array(SPLITS)), -1).to_numpy()
    sides = np.zeros(int(numbered.max()) + 1 if len(numbered) else 0, np.int64)
    for code in range(len(SPLITS)):
        sides[numbered[side == code]] |= 1 << code
    counted = {}
    for mask in range(1 << len(SPLITS)):
        names = [s for code, s in enumerate(SPLITS) if mask >> code & 1]
        found = int((sides == mask).sum()) if len(names) > 1 else 0
        if found:
            counted["-".join(names)] = found
    return dict(sorted(counted.items()))


def _identical(table: pa.Table) -> tuple[int, int, dict[str, int]]:
    """Count the sets of equal pixels: how many, how many rows in them, and how many span official splits."""
    pairs = pa.table({"h": table["pixel_hash"], "s": pc.fill_null(table["official_split"], "none")})
    cells = pairs.group_by(["h", "s"]).aggregate([([], "count_all")])
    sets = cells.group_by("h").aggregate([("count_all", "sum"), ("s", "list")])
    sets = sets.filter(pc.greater(sets["count_all_sum"], 1))
    across: dict[str, int] = {}
    for splits in sets["s_list"].to_pylist():
        named = [s for s in SPLITS if s in splits]
        if len(named) > 1:
            key = "-".join(named)
            across[key] = across.get(key, 0) + 1
    return sets.num_rows, pc.sum(sets["count_all_sum"]).as_py() or 0, dict(sorted(across.items()))
