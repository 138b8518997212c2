"""Sides: which rows train, choose and judge a model; a group is never torn, and the official test stays whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ferdata.class_balance import jensen_shannon
from ferdata.duplicates import label_conflicts
from ferdata.errors import BadOption
from ferdata.schema import SPLITS
from ferdata.splitting import id_list
from ferdata.splitting.caps import Cap, capped, parse_caps, share_of, too_synthetic
from ferdata.splitting.id_list import Frozen
from ferdata.splitting.seeded_order import FOLDS, SUBSAMPLE, shuffle_keys
from ferdata.splitting.stratify import Allotment

TRAIN, VAL, TEST, NONE = 0, 1, 2, -1
RATIOS = (0.8, 0.1, 0.1)
MOST_FOLDS = 1 << 14
SPLIT_COLUMNS = ("sample_id", "dataset", "official_split", "subject", "synthetic", "target")
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

# Why a row has no split, or not its own: the words of `split_reason`, by code.
REASONS = (
    None, "group_in_test", "group_in_val", "val_from_train", "no_official_split", "conflict", "synthetic", "capped",
    "synthetic_capped", "not_in_list", "left_out_by_list",
)  # fmt: skip
CODE = {reason: code for code, reason in enumerate(REASONS) if reason}
MOVED = (CODE["val_from_train"], CODE["no_official_split"])  # rows that have a split, though not their publisher's
TAKEN_OUT = CODE["conflict"]  # from here on a row takes no part, in folds either


@dataclass(frozen=True)
class Rules:
    """What was asked for; the defaults of `ferdata split` and `ferdata merge` stand here."""

    split: str = "official"
    folds: str | None = None
    conflicts: str = "keep"
    cap: tuple[str, ...] = ()
    max_synthetic: float | None = None
    synthetic_anywhere: bool = False
    frozen: Path | None = None
    seed: int = 0

    def check(self) -> None:
        """Raise BadOption for what can be told without a row: before the work."""
        ratios(self.split)
        fold_count(self.folds)
        share_of(self.max_synthetic)
        if self.frozen and self != Rules(frozen=self.frozen):
            raise BadOption(
                "--frozen reads all splits and folds from a list, and cannot be combined with other rules.",
                "Leave out --split, --folds, --conflicts, --cap, --max-synthetic, --synthetic-anywhere and --seed.",
            )

    def check_names(self, classes: Sequence[str], datasets: Sequence[str]) -> None:
        """Raise BadOption for a class or a dataset that is not there: before pictures are compared."""
        label_conflicts.parse(self.conflicts, datasets)
        parse_caps(self.cap, classes, datasets)


@dataclass(frozen=True)
class Placed:
    """Every row's codes into SPLITS, folds (-1: none) and REASONS; whether the seed had a say; the list, if one was."""

    split: NDArray[np.int8]
    fold: NDArray[np.int16]
    why: NDArray[np.int8]
    drawn: bool
    lists: Frozen | None = None

    @property
    def names(self) -> pa.Array:
        """The `split` column."""
        return pa.array([*SPLITS, None], pa.string()).take(pa.array(self.split.astype(np.int32) % (len(SPLITS) + 1)))

    @property
    def folds(self) -> pa.Array:
        """The `fold` column."""
        return pa.array(self.fold, pa.int16(), mask=self.fold < 0)

    @property
    def reason(self) -> pa.Array:
        """The `split_reason` column."""
        return pa.array(REASONS, pa.string()).take(pa.array(self.why))

    @property
    def reasons(self) -> dict[str, int]:
        """How many rows each reason has."""
        return {str(REASONS[i]): int(n) for i, n in enumerate(np.bincount(self.why)) if i and n}


def ratios(spec: str) -> tuple[float, float, float] | None:
    """Return train, val and test shares of `0.8,0.1,0.1`, or None for `official`. Raises BadOption."""
    if spec == "official":
        return None
    try:
        shares = tuple(float(part) for part in spec.split(","))
    except ValueError:
        shares = ()
    if len(shares) != 3 or min(shares) < 0 or not abs(sum(shares) - 1) <= 1e-6:
        total = f" They add up to {sum(shares):g}." if len(shares) == 3 and min(shares) >= 0 else ""
        raise BadOption(
            f"--split cannot be {spec!r}.{total}", "Use `official`, or three shares that add up to 1: 0.8,0.1,0.1."
        )
    return shares[0], shares[1], shares[2]


def fold_count(spec: str | None) -> int | None:
    """Return the number of folds, 0 for leave-one-subject-out, None for none. Raises BadOption."""
    if spec is None:
        return None
    if spec == "loso":
        return 0
    if not spec.isdecimal() or not 2 <= int(spec) <= MOST_FOLDS:
        raise BadOption(f"--folds cannot be {spec!r}.", f"Use a number from 2 to {MOST_FOLDS}, or loso.")
    return int(spec)


def assign_splits(table: pa.Table, group: Ints, picture: Ints, rules: Rules, classes: Sequence[str] = ()) -> Placed:
    """Give every row a side and, if asked, a fold; `table` has SPLIT_COLUMNS, `classes` are those that a cap may name.

    Under `official`: a group that reaches into test gives up its val and train rows (`group_in_test`), one that
    reaches into val its train rows; datasets without a split get 0.8, 0.1, 0.1. Rows that a dataset with a split puts
    nowhere train (`no_official_split`): in val or test they would make another one than was published. Of datasets
    without a val, a tenth of train, of its published part where there is one, becomes val (`val_from_train`), since a
    model has to be chosen on something that is not test. With shares, official splits are passed over. Groups are
    drawn at random, class by class, dataset by dataset: adding a dataset does not move another's rows, but for groups
    that it joins.

    Before the draw, rows whose label loses a conflict and generated faces in val or test are taken out; after it,
    train is subsampled. A frozen list replaces the draw; groups overrule it as they overrule official splits. Raises
    BadOption.
    """
    rules.check()
    n = table.num_rows
    shares = ratios(rules.split)
    caps = parse_caps(rules.cap, classes or _present(table), table["dataset"].unique().to_pylist())
    why = np.zeros(n, np.int8)
    lists = id_list.read(rules.frozen, table["sample_id"]) if rules.frozen else None
    made = pc.fill_null(table["synthetic"], False).to_numpy() & (not rules.synthetic_anywhere) & (lists is None)
    wanted = _wanted(table, shares, lists, why)
    added = _added(table, wanted) if lists is None and shares is None else np.zeros(n, np.bool_)
    wanted[added] = TRAIN
    why[label_conflicts.losers(table, picture, rules.conflicts, (wanted == TEST) & ~made)] = CODE["conflict"]
    why[made & (wanted > TRAIN) & (why == 0)] = CODE["synthetic"]
    wanted[why > 0] = NONE
    draw = Allotment(table, group, rules.seed)
    side = np.full(draw.count, NONE)
    np.maximum.at(side, group, wanted)
    undecided = (side[group] == NONE) & ~made
    if lists is None:
        _draw(draw, side, wanted, why, made, shares, added)
    final = side[group]
    excluded = (wanted != final) & (why == 0) & ~undecided
    why[excluded & (final == TEST)] = CODE["group_in_test"]
    why[excluded & (final == VAL)] = CODE["group_in_val"]
    _subsample(table, group, rules, caps, final == TRAIN, why)
    why[added & (final == TRAIN) & (why == 0)] = CODE["no_official_split"]
    gone = (why > 0) & ~np.isin(why, MOVED)
    fold = lists.fold if lists else _folds(table, group, why < TAKEN_OUT, made, rules)
    if lists:
        fold = _untorn(fold, group)
    drawn = draw.drawn or bool(caps or fold_count(rules.folds)) or rules.max_synthetic is not None
    return Placed(np.where(gone, NONE, final).astype(np.int8), fold.astype(np.int16), why, drawn, lists)


def _present(table: pa.Table) -> list[str]:
    return [str(c) for c in table["target"].unique().drop_null().to_pylist()]


def _wanted(table: pa.Table, shares: tuple[float, ...] | None, lists: Frozen | None, why: NDArray[np.int8]) -> Ints:
    """Return each row's own split, as published or as listed; rows that a list leaves out get their reason."""
    if lists:
        why[~lists.listed] = CODE["not_in_list"]
        why[lists.listed & (lists.side == NONE)] = CODE["left_out_by_list"]
        return lists.side.copy()
    if shares:
        return np.full(table.num_rows, NONE)
    official = pc.fill_null(pc.index_in(table["official_split"], pa.array(SPLITS)), NONE)
    return np.array(official.to_numpy(), np.int64)


def _added(table: pa.Table, wanted: Ints) -> Mask:
    """Return the rows without an official split, of datasets that have one."""
    split = pc.unique(table["dataset"].filter(pa.array(wanted != NONE)))
    return np.asarray((wanted == NONE) & pc.is_in(table["dataset"], split).to_numpy())


def _draw(
    draw: Allotment,
    side: Ints,
    wanted: Ints,
    why: NDArray[np.int8],
    made: Mask,
    shares: tuple[float, ...] | None,
    added: Mask,
) -> None:
    """Draw the groups that have no side, dataset by dataset; what is generated goes where it does no harm."""
    free = (why == 0) & ~made
    for dataset in draw.datasets:
        draw.assign(side, free & draw.of(dataset), shares or RATIOS)
    for dataset in draw.datasets if shares is None else []:
        rows = draw.of(dataset) & free
        train = rows & (wanted == TRAIN)
        if train.any() and not (wanted[rows] == VAL).any():
            published = train & ~added
            why[_carve(draw, side, published if published.any() else rows)] = CODE["val_from_train"]
    alone = made & (why == 0) & (side[draw.group] == NONE)
    side[draw.group[alone]] = TRAIN


def _carve(draw: Allotment, side: Ints, rows: Mask) -> NDArray[np.intp]:
    """Turn a tenth of the train groups that lie wholly in `rows` into val; return the rows that moved."""
    outside = np.zeros(len(side), np.bool_)
    outside[draw.group[~rows]] = True
    free = rows & (side[draw.group] == TRAIN) & ~outside[draw.group]
    side[draw.group[free]] = NONE
    draw.assign(side, free, (0.9, 0.1, 0.0))
    return np.flatnonzero(free & (side[draw.group] == VAL))


def _subsample(
    table: pa.Table, group: Ints, rules: Rules, caps: Sequence[Cap], train: Mask, why: NDArray[np.int8]
) -> None:
    """Write why the train rows that are too many have no split."""
    if not caps and rules.max_synthetic is None:
        return
    key = shuffle_keys(table["sample_id"], rules.seed, SUBSAMPLE)
    why[capped(table, group, key, train & (why == 0), caps)] = CODE["capped"]
    extra = too_synthetic(table, group, key, train & (why == 0), rules.max_synthetic)
    why[extra] = CODE["synthetic_capped"]


def _folds(table: pa.Table, group: Ints, part: Mask, made: Mask, rules: Rules) -> Ints:
    """Return each row's fold: whole groups, class by class; what was taken out or is generated has none.

    A row without a fold takes no part: it is neither trained on nor judged, so that it can leak into nothing. With
    `loso` each person is a fold, and rows that name nobody have none. Raises BadOption.
    """
    count = fold_count(rules.folds)
    if count is None:
        return np.full(len(part), NONE)
    draw = Allotment(table, group, rules.seed, FOLDS)
    part = part & ~made
    named = table["subject"].is_valid().to_numpy()
    if count == 0:
        _one_group_each(table, draw.group)
        people = np.zeros(draw.count, np.bool_)
        people[draw.group[part & named]] = True
        part = part & people[draw.group]
    groups = np.unique(draw.group[part])
    loso = count == 0
    least, most = (2, MOST_FOLDS) if loso else (count, len(groups))
    if not least <= len(groups) <= most:
        persons = pc.binary_join_element_wise(table["dataset"], table["subject"], "\n").filter(pa.array(part)).unique()
        who = "people" if len(persons.drop_null()) == len(groups) else "groups (people, clips, duplicates)"
        raise BadOption(
            f"{len(groups):,} {who} cannot make {f'{count:,} folds' if count else 'folds of one person each'}.",
            f"Use --folds with a number up to {len(groups)}."
            if len(groups) > 1
            else "Merge more rows, or leave --folds out.",
        )
    side = np.full(draw.count, NONE)
    if count == 0:
        side[groups] = np.arange(len(groups))  # by first appearance: groups are numbered so
    for dataset in draw.datasets if count else []:
        draw.assign(side, part & draw.of(dataset), [1 / count] * count, every=True)
    return np.where(part, side[draw.group], NONE)


def _one_group_each(table: pa.Table, group: Ints) -> None:
    """Raise BadOption if a person stands in several groups: rows were grouped without regard to subjects."""
    rows = pa.table({"d": table["dataset"], "s": table["subject"], "g": group}).filter(table["subject"].is_valid())
    per = rows.group_by(["d", "s"]).aggregate([("g", "count_distinct")])
    torn = pc.sum(pc.greater(per["g_count_distinct"], 1)).as_py()
    if torn:
        raise BadOption(f"{torn:,} people are in several groups.", "Merge again with `subject` among --by.")


def _untorn(fold: Ints, group: Ints) -> Ints:
    """Return a list's folds with every group in one: the lowest that it names; its rows elsewhere get none."""
    lowest = np.full(int(group.max()) + 1 if len(group) else 0, MOST_FOLDS)
    np.minimum.at(lowest, group[fold >= 0], fold[fold >= 0])
    return np.where(fold == lowest[group], fold, NONE)


@dataclass(frozen=True)
class PartBalance:
    """One side or fold: its classes, its share of all rows that have one, the share asked for, and its drift.

    `drift` is the Jensen-Shannon divergence, in bits, of its classes from those of all sides together.
    """

    part: str
    rows: int
    labelled: int
    counts: dict[str, int]
    share: float
    asked: float | None
    drift: float | None


def split_balance(table: pa.Table, classes: Sequence[str], placed: Placed, rules: Rules) -> tuple[PartBalance, ...]:
    """Return the class balance of train, val and test, and how far each is from what was asked."""
    shares = ratios(rules.split) or (None, None, None)
    return _balances(table, classes, placed.split, SPLITS, shares)


def fold_balance(table: pa.Table, classes: Sequence[str], placed: Placed) -> tuple[PartBalance, ...]:
    """Return the class balance of each fold; nothing where there are none."""
    number = int(placed.fold.max(initial=-1)) + 1
    return _balances(table, classes, placed.fold, [str(i) for i in range(number)], [1 / max(number, 1)] * number)


def _balances(
    table: pa.Table,
    classes: Sequence[str],
    code: NDArray[np.signedinteger],
    names: Sequence[str],
    asked: Sequence[float | None],
) -> tuple[PartBalance, ...]:
    k = len(classes)
    label = pc.fill_null(pc.index_in(table["target"], pa.array(classes, pa.string())), k).to_numpy()
    on = code >= 0
    cells = np.bincount(code[on].astype(np.int64) * (k + 1) + label[on], minlength=len(names) * (k + 1))
    cells = cells.reshape(len(names), k + 1)
    total, whole = max(int(cells.sum()), 1), cells[:, :k].sum(axis=0)
    return tuple(
        PartBalance(
            part=name,
            rows=int(cells[i].sum()),
            labelled=int(cells[i, :k].sum()),
            counts={c: int(x) for c, x in zip(classes, cells[i, :k], strict=True)},
            share=int(cells[i].sum()) / total,
            asked=asked[i],
            drift=jensen_shannon(cells[i, :k], whole),
        )
        for i, name in enumerate(names)
    )
