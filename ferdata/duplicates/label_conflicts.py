"""Conflicts: one picture under several labels. Who says what against whom, and which rows lose."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ferdata.duplicates.components import connected
from ferdata.errors import BadOption, did_you_mean

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
MANY = 30  # versions of one picture; the one that FER+ has most of comes in 21
WORDS = ("keep", "drop", "majority", "first")
RULES = "keep, drop, majority, or first: with datasets in order (first:ferplus,fer2013)"


@dataclass(frozen=True)
class Against:
    """What two datasets say of the pictures that both label; of one dataset and itself, its copies.

    `cells` counts pictures by (label of `first`, label of `second`); where a dataset says two things of a picture,
    each counts. `agreement` is how often a row of each, drawn at random from those of a picture, agree, every picture
    counting once; `on_shared` is the same among the classes that both use.
    """

    first: str
    second: str
    pictures: int
    agreement: float
    on_shared: float | None
    cells: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True)
class Conflicts:
    """The pictures that stand in two or more labelled rows, those of them under several labels, and who says what."""

    copied: int
    pictures: int
    rows: int
    between: tuple[Against, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the form that a manifest's lineage keeps: without the cells, which follow from the rows."""
        between = [{k: v for k, v in vars(a).items() if k != "cells"} for a in self.between]
        return {"copied": self.copied, "pictures": self.pictures, "rows": self.rows, "between": between}


# What `pictures` and `face_boxes` read; near pairs need APART_BY as well.
PICTURE_BY = ("dataset", "pixel_hash", "face_box", "alignment")
APART_BY = ("subject", "sequence", "frame")


def pictures(table: pa.Table, near: Ints | None = None) -> Ints:
    """Return which rows are one picture, numbered by first appearance: equal pixels, or joined by a near pair.

    `near`, int64 (n, 2), holds the two rows of each pair; `table` has PICTURE_BY and, for near pairs, APART_BY.
    `face_box` tells the faces of one photograph apart. What one dataset itself tells apart, by person, clip or
    frame, is not one picture, however alike: a person's frown and sneer may be near copies to a hash. Nor are more
    than MANY pictures one by near pairs: they share a place, and each has a label of its own. A subject or clip joins
    groups, never pictures.
    """
    code, pairs = _coded(table, near)
    component = connected(int(code.max(initial=-1)) + 1, pairs)
    crowded = np.bincount(component) > MANY
    # Codes are numbered by first appearance over the rows, so what joins them is as well.
    return np.asarray(connected(len(component), pairs[~crowded[component[pairs[:, 0]]]])[code])


def most_versions(table: pa.Table, near: Ints | None = None) -> tuple[int, int]:
    """Return how many different pictures near pairs join at most, and the first row of those."""
    code, pairs = _coded(table, near)
    if not len(code):
        return 0, 0
    component = connected(int(code.max()) + 1, pairs)
    versions = np.bincount(component)
    return int(versions.max()), int(np.argmax(component[code] == versions.argmax()))


def _coded(table: pa.Table, near: Ints | None) -> tuple[Ints, Ints]:
    """Return each row's pixels (or face) as a number, by first appearance, and the near pairs of those numbers."""
    code: Ints = _faces(table).combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    if near is None or not len(near):
        return code, np.zeros((0, 2), np.int64)
    return code, code[near[~told_apart(table, near)]]


def _faces(table: pa.Table) -> pa.ChunkedArray:
    """Return `pixel_hash`, with dataset and box beside it for the faces of one photograph."""
    boxes, hashes = face_boxes(table), table["pixel_hash"]
    several = pc.not_equal(boxes, "")
    if not pc.any(several).as_py():
        return hashes
    keyed = pc.binary_join_element_wise(table["dataset"], hashes, boxes, " ")
    return pc.if_else(several, keyed, hashes)


def face_boxes(table: pa.Table) -> pa.ChunkedArray:
    """Return, for each row, the box of its face where its dataset boxes several in that photograph, else "".

    This alone tells the faces of one photograph apart, and a dataset speaks for itself: that FER+ has a box for every
    face and FER2013 none does not make two faces of one. `table` has PICTURE_BY.
    """
    boxes = published_boxes(table)
    boxed = boxes.is_valid()
    none = pa.chunked_array([pa.repeat("", table.num_rows)])
    if not pc.any(boxed).as_py():
        return none
    photograph = pc.binary_join_element_wise(table["dataset"], table["pixel_hash"], " ")
    counts = photograph.filter(boxed).value_counts()
    repeated = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
    rows = np.flatnonzero(pc.and_(boxed, pc.is_in(photograph, repeated)).to_numpy())
    words = [box_word(box) for box in boxes.take(pa.array(rows)).to_pylist()]
    names = photograph.take(pa.array(rows)).to_pylist()
    held: dict[str, set[str]] = {}
    for name, word in zip(names, words, strict=True):
        held.setdefault(name, set()).add(word)
    several = [len(held[name]) > 1 for name in names]
    mask = np.zeros(table.num_rows, np.bool_)
    mask[rows[several]] = True
    kept = [word for word, many in zip(words, several, strict=True) if many]
    return pc.replace_with_mask(none, pa.array(mask), pa.array(kept, pa.string()))


def published_boxes(table: pa.Table) -> pa.ChunkedArray:
    """Return the box of each row's face in its photograph; after align `face_box` is the crop's, alike for all."""
    return pc.coalesce(pc.struct_field(table["alignment"], "box"), table["face_box"])


def box_word(box: Sequence[float] | None) -> str:
    """Return a box as a ledger writes it, "" for none."""
    return ",".join(f"{v:.1f}" for v in box or ())


def told_apart(table: pa.Table, near: Ints) -> Mask:
    """Return which pairs are of one dataset that gives them two persons (clips, frames): alike, yet not the same."""
    one, other = table.take(pa.array(near[:, 0])), table.take(pa.array(near[:, 1]))
    apart = np.zeros(len(near), np.bool_)
    for column in APART_BY:
        apart |= pc.fill_null(pc.not_equal(one[column], other[column]), False).to_numpy()
    return np.asarray(apart & pc.equal(one["dataset"], other["dataset"]).to_numpy())


def conflicts(table: pa.Table, picture: Ints) -> Conflicts:
    """Count who says what against whom; `table` has `dataset` and `target`, and rows without a target say nothing."""
    given = _given(table, picture)
    per = given.group_by("p").aggregate([("c", "count_distinct"), ("n", "sum")])
    several = per.filter(pc.greater(per["c_count_distinct"], 1))
    return Conflicts(
        copied=pc.sum(pc.greater(per["n_sum"], 1)).as_py() or 0,
        pictures=several.num_rows,
        rows=pc.sum(several["n_sum"]).as_py() or 0,
        between=_between(given),
    )


def _given(table: pa.Table, picture: Ints) -> pa.Table:
    """Return the labels given to each picture in two or more labelled rows: picture, dataset, class, rows."""
    rows = pa.table({"p": picture, "d": table["dataset"], "c": table["target"]})
    rows = rows.filter(rows["c"].is_valid())
    number = np.bincount(rows["p"].to_numpy()) if rows.num_rows else np.zeros(1, np.int64)
    rows = rows.filter(pa.array(number[rows["p"].to_numpy()] > 1, pa.bool_()))
    return rows.group_by(["p", "d", "c"]).aggregate([([], "count_all")]).rename_columns(["p", "d", "c", "n"])


def _between(given: pa.Table) -> tuple[Against, ...]:
    own = given.join(given.group_by(["p", "d"]).aggregate([("n", "sum")]), ["p", "d"])
    both = own.join(own, "p", right_suffix="_2", join_type="inner")
    same, alike = pc.equal(both["d"], both["d_2"]), pc.equal(both["c"], both["c_2"])
    # Of one dataset against itself two different rows are compared, and each two of its labels once.
    itself = pc.and_(same, pc.or_(pc.and_(alike, pc.greater(both["n"], 1)), pc.less(both["c"], both["c_2"])))
    both = both.filter(pc.or_(itself, pc.less(both["d"], both["d_2"])))
    cells = both.append_column("w", pa.array(_weight(both)))
    cells = cells.group_by(["d", "d_2", "c", "c_2"]).aggregate([([], "count_all"), ("w", "sum")])
    held = both.group_by(["d", "d_2"]).aggregate([("p", "count_distinct")]).to_pylist()
    found: dict[tuple[str, str], list[tuple[str, str, int, float]]] = {}
    for cell in cells.to_pylist():
        row = (cell["c"], cell["c_2"], int(cell["count_all"]), float(cell["w_sum"]))
        found.setdefault((cell["d"], cell["d_2"]), []).append(row)
    number = {(h["d"], h["d_2"]): int(h["p_count_distinct"]) for h in held}
    return tuple(_against(*pair, number[pair], sorted(cells)) for pair, cells in sorted(found.items()))


def _weight(both: pa.Table) -> NDArray[np.float64]:
    """Return how likely a row of the one and a row of the other, drawn from a picture's, carry these two labels."""
    same = pc.equal(both["d"], both["d_2"]).to_numpy()
    alike = pc.equal(both["c"], both["c_2"]).to_numpy()
    n, m, of, of_m = (both[name].to_numpy().astype(np.float64) for name in ("n", "n_2", "n_sum", "n_sum_2"))
    others = np.where(same, np.where(alike, n - 1, 2 * m), m)
    return np.asarray(n * others / (of * np.where(same, np.maximum(of - 1, 1), of_m)))


def _against(first: str, second: str, pictures: int, cells: list[tuple[str, str, int, float]]) -> Against:
    shared = {c[0] for c in cells} & {c[1] for c in cells} if first != second else {c for x in cells for c in x[:2]}

    def agreement(of: list[tuple[str, str, int, float]]) -> float | None:
        total = sum(c[3] for c in of)
        return round(sum(c[3] for c in of if c[0] == c[1]) / total, 9) if total else None  # whatever the order of sums

    on_shared = agreement([c for c in cells if c[0] in shared and c[1] in shared])
    return Against(first, second, pictures, agreement(cells) or 0.0, on_shared, tuple(c[:3] for c in cells))


def parse(rule: str, datasets: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Return the rule and, of `first:`, the datasets in their order. Raises BadOption."""
    word, _, rest = rule.partition(":")
    named = tuple(name for name in rest.split(",") if name)
    strangers = [name for name in named if name not in datasets]
    if word not in WORDS or (word == "first") != bool(named) or strangers:
        meant = did_you_mean(strangers[0], datasets) if strangers else did_you_mean(word, WORDS)
        raise BadOption(
            f"--conflicts cannot be {rule!r}" + (f": there is no {strangers[0]} here." if strangers else "."),
            f"{meant}Use {RULES}. Datasets here: {', '.join(datasets)}.",
        )
    return word, named


def losers(table: pa.Table, picture: Ints, rule: str, in_test: Mask) -> Mask:
    """Return the rows whose label loses; `table` has `dataset` and `target`, `in_test` says which rows stand in a test.

    `drop`: every row of a picture under several labels. `majority`: rows that do not carry the picture's most frequent
    label, each dataset having one vote, shared among its rows, so that a publisher's own copies do not outvote
    another's; `first:a,b`: rows that contradict the first of these datasets that labels the picture. A draw, or a
    first dataset that contradicts itself, is settled by nobody: all rows lose. No picture leaves a published test: a
    row there loses only where a row that wins stands in that test too, since a test without its doubtful faces is
    easier than the published one. Labels are not changed. Raises BadOption.
    """
    word, named = parse(rule, table["dataset"].unique().to_pylist())
    lost = np.zeros(table.num_rows, np.bool_)
    if word == "keep" or not table.num_rows:
        return lost
    given = _given(table, picture)
    per = given.group_by("p").aggregate([("c", "count_distinct")])
    torn = per.filter(pc.greater(per["c_count_distinct"], 1))["p"].to_numpy()
    winner = np.full(int(picture.max()) + 1, -1, np.int64)  # the code of the class that won, -1 where none did
    classes = table["target"].unique().drop_null().sort()
    given = given.filter(pc.is_in(given["p"], pa.array(torn)))
    if word != "drop":
        _elect(winner, given, classes, table["dataset"].unique().to_pylist() if word == "majority" else named, word)
    contested = np.zeros(len(winner), np.bool_)
    contested[torn] = True
    code = pc.fill_null(pc.index_in(table["target"], classes), -1).to_numpy()
    lost = contested[picture] & (code >= 0) & (code != winner[picture])
    won = contested[picture] & (code >= 0) & ~lost
    replaced = np.zeros(len(winner), np.bool_)
    replaced[picture[won & in_test]] = True
    return np.asarray(lost & ~(in_test & ~replaced[picture]))


def _elect(winner: Ints, given: pa.Table, classes: pa.Array, order: Sequence[str], word: str) -> None:
    """Write the class that wins each picture into `winner`; a draw leaves -1."""
    picture = given["p"].to_numpy()
    label = pc.index_in(given["c"], classes).to_numpy()
    owner = pc.fill_null(pc.index_in(given["d"], pa.array(order, pa.string())), len(order)).to_numpy()
    rows = given["n"].to_numpy()
    if not len(picture):
        return
    _, local = np.unique(picture, return_inverse=True)
    ballots = np.zeros((int(local.max()) + 1, len(classes)))
    if word == "majority":
        votes = np.zeros((len(ballots), len(order)))
        np.add.at(votes, (local, owner), rows)
        np.add.at(ballots, (local, label), rows / votes[local, owner])
    else:
        best = np.full(len(ballots), len(order))
        np.minimum.at(best, local, owner)
        heard = (owner == best[local]) & (owner < len(order))
        np.add.at(ballots, (local[heard], label[heard]), 1.0)
    top = ballots.max(axis=1, keepdims=True)
    clear = ((ballots > top - 1e-9).sum(axis=1) == 1) & (top[:, 0] > 0)
    winner[np.unique(picture)[clear]] = ballots[clear].argmax(axis=1)
