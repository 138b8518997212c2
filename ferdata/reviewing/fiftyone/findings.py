"""What is worth a reviewer's look, row by row: the words behind the saved views, computed from the manifest alone."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ferdata.auditing.catalogue import BY_NAME
from ferdata.auditing.pictures import PICTURE_COLUMNS, measured
from ferdata.duplicates.label_conflicts import PICTURE_BY, pictures
from ferdata.labels import VOTE_COLUMNS
from ferdata.manifest.counts import split_column
from ferdata.reviewing.ledger import WORDS

Mask = NDArray[np.bool_]

SUSPECT, CONFLICT, LEAK, LOW_QUALITY = "suspect label", "conflict", "leak", "low quality"
COPY, TORN, DISAGREES, VOTES = "copy", "low-agreement votes", "prediction disagrees", "suspect votes"
# What an audit's issue about a label or a split is called here; one about an image is LOW_QUALITY.
# A label may well be right where its votes are few, or others than a model expects: many rows, in views of their own.
OF_ISSUE: Mapping[str, str] = {
    "suspect_label": SUSPECT, "suspect_votes": VOTES, "vote_disagreement": TORN, "vote_entropy": TORN,
    "conflict": CONFLICT, "leak": LEAK,
}  # fmt: skip
DOUBTS = {SUSPECT, VOTES, CONFLICT, TORN, DISAGREES}  # those about the label
DOUBTFUL = 0.5  # label_quality below it is suspect, where audit named no row so
TORN_SHARE = 0.5  # of the votes: no majority
CONFIDENT = 0.5  # a prediction that contradicts with more
# What can hardly be a face, where no audit has named anything: issue -> (threshold, whether above it), 0..1
UNLIKE_A_FACE: Mapping[str, tuple[float, bool]] = {
    "dark": (0.06, False),
    "bright": (0.94, True),
    "blank": (0.03, False),
}
FINDING_COLUMNS = (
    *PICTURE_BY,
    "target",
    "split",
    "official_split",
    "group",
    "picture",
    "issues",
    "label_quality",
    "votes",
    *PICTURE_COLUMNS,
)


def with_pictures(table: pa.Table) -> pa.Table:
    """Return `table` with `picture` filled in where no merge has done so: copies then stand beside each other."""
    if not table["picture"].null_count:
        return table
    at = table.schema.get_field_index("picture")
    return table.set_column(at, "picture", pa.array(pictures(table), pa.int64()))


def findings(table: pa.Table, predicted: Mapping[str, Any]) -> list[list[str]]:
    """Return the findings of each row of `table`, which has FINDING_COLUMNS and `sample_id`.

    `predicted` maps sample ids to (class, confidence). Issues that audit or align
    wrote count; copies, conflicts and leaks are looked for here, since a merged manifest tells them without an audit.
    """
    n = table.num_rows
    picture = table["picture"].to_numpy() if not table["picture"].null_count else pictures(table)
    group = table["group"].to_numpy() if not table["group"].null_count else picture
    named = _issues(table)
    # Where a split was made, a row on none of its sides leaks nowhere.
    split = table[split_column(table)]
    found: dict[str, Mask] = {
        SUSPECT: _suspect(table, named),
        CONFLICT: named[CONFLICT] | _several(picture, table["target"]),
        LEAK: named[LEAK] | _several(group, split),
        LOW_QUALITY: named[LOW_QUALITY] | _unlike_a_face(table),
        COPY: np.bincount(picture, minlength=1)[picture] > 1 if n else np.zeros(0, np.bool_),
        VOTES: named[VOTES],
        TORN: named[TORN] | _torn(table),
        DISAGREES: _disagrees(table["sample_id"].to_pylist(), table["target"].to_pylist(), predicted),
    }
    rows: list[list[str]] = [[] for _ in range(n)]
    for name, mask in found.items():
        for i in np.flatnonzero(mask):
            rows[i].append(name)
    return rows


def why(
    table: pa.Table, found: Sequence[Sequence[str]], predicted: Mapping[str, tuple[str, float | None]]
) -> list[list[str]]:
    """Return, for each row whose label is in doubt, why, in few words: what a model says instead, what copies are
    labelled, and the two labels with the most votes. A tile shows the first of them.

    `found` are the rows' findings; the rest is as in `findings`.
    """
    columns = table.select(["sample_id", "target", "votes"]).to_pydict()
    elsewhere = _labels_of_copies(table, found)
    rows: list[list[str]] = []
    for i, names in enumerate(found):
        words: list[str] = []
        rows.append(words)
        if not DOUBTS.intersection(names):
            continue
        label, confidence = predicted.get(columns["sample_id"][i], (None, None))
        if label is not None and label != columns["target"][i]:
            words.append(f"\u2192 {label}" + ("" if confidence is None else f" {confidence:.0%}"))
        if elsewhere.get(i):
            words.append(f"also labelled {', '.join(elsewhere[i])}")
        most = _most_voted(columns["votes"][i])[:2]
        if most:
            words.append(", ".join(f"{n} {WORDS.get(name, name)}" for n, name in most))
    return rows


def suggestions(
    table: pa.Table,
    labels: Sequence[str | None],
    choices: Sequence[str],
    predicted: Mapping[str, tuple[str, float | None]],
) -> list[str | None]:
    """Return the label that one key gives each row in place of its own: the model's where it says otherwise; for a row
    that no model has seen, what most voters say where that is not its label. None where the label is to be kept.

    `labels` are the words that the rows are shown with, `choices` what a reviewer may decide for.
    """
    columns = table.select(["sample_id", "votes"]).to_pydict()
    rows: list[str | None] = []
    for sample, votes, label in zip(columns["sample_id"], columns["votes"], labels, strict=True):
        word = predicted[sample][0] if sample in predicted else _winner(votes)
        rows.append(word if word in choices and word != label else None)
    return rows


def image_issues(table: pa.Table, found: Sequence[Sequence[str]]) -> tuple[list[list[str]], list[float | None]]:
    """Return what is wrong with each picture of low quality, with the value measured, and how bad it is: 0 is worst.

    `found` are the rows' findings. 1 is a picture at the threshold of what is wrong with it; one with an issue that
    has no measure here, such as a face that was not found, is among the worst.
    """
    scores = measured(table)
    issues = table["issues"].to_pylist()
    words: list[list[str]] = [[] for _ in found]
    quality: list[float | None] = [None] * len(found)
    for i, names in enumerate(found):
        if LOW_QUALITY not in names:
            continue
        named = [name for name in issues[i] or () if _of_issue(name) == LOW_QUALITY]
        named = named or [name for name, (limit, above) in UNLIKE_A_FACE.items()
                          if (scores[name][i] > limit if above else scores[name][i] < limit)]  # fmt: skip
        values = {name: float(scores[name][i]) for name in named if name in scores and np.isfinite(scores[name][i])}
        words[i] = [name.replace("_", " ") + (f" {values[name]:.2g}" if name in values else "") for name in named]
        quality[i] = min((_share_of_limit(name, values.get(name)) for name in named), default=1.0)
    return words, quality


def _share_of_limit(issue: str, value: float | None) -> float:
    """Return how far a picture is from the threshold of an issue: 1 at it, 0 at the far end, or unmeasured."""
    if value is None:
        return 0.0
    limit = BY_NAME[issue].threshold
    return min(1.0, (limit / max(value, limit)) if BY_NAME[issue].above else max(value, 0.0) / limit)


def _labels_of_copies(table: pa.Table, found: Sequence[Sequence[str]]) -> dict[int, list[str]]:
    """Return, for each row in a conflict, the other labels of its picture."""
    torn = [i for i, names in enumerate(found) if CONFLICT in names]
    picture = table["picture"].to_numpy() if not table["picture"].null_count else pictures(table)
    target = table["target"].to_pylist()
    of: dict[int, set[str]] = {}
    for i in torn:
        if target[i] is not None:
            of.setdefault(int(picture[i]), set()).add(target[i])
    return {i: sorted(of.get(int(picture[i]), set()) - {target[i]}) for i in torn}


def _most_voted(votes: Sequence[int] | None) -> list[tuple[int, str]]:
    """Return the labels that have votes with how many, the most first."""
    return [(n, name) for n, name in sorted(zip(votes or (), VOTE_COLUMNS, strict=False), key=lambda v: -v[0]) if n]


def _winner(votes: Sequence[int] | None) -> str | None:
    """Return the word of the label with the most votes; None in a draw."""
    most = _most_voted(votes)[:2]
    if not most or (len(most) == 2 and most[0][0] == most[1][0]):
        return None
    return WORDS.get(most[0][1])


def _issues(table: pa.Table) -> dict[str, Mask]:
    """Return which rows have an issue that makes each finding."""
    named = {finding: np.zeros(table.num_rows, np.bool_) for finding in (*OF_ISSUE.values(), LOW_QUALITY)}
    if table["issues"].null_count < table.num_rows:
        for i, names in enumerate(table["issues"].to_pylist()):
            for name in names or ():
                finding = _of_issue(name)
                if finding:
                    named[finding][i] = True
    return named


def _of_issue(issue: str) -> str | None:
    """Return the finding that an issue makes; None for one of the set as a whole, which no single face can mend."""
    if issue in OF_ISSUE:
        return OF_ISSUE[issue]
    known = BY_NAME.get(issue)  # one of an older or newer audit is to be looked at too
    return None if known is not None and known.about == "set" else LOW_QUALITY


def _suspect(table: pa.Table, named: Mapping[str, Mask]) -> Mask:
    if named[SUSPECT].any():
        return named[SUSPECT]
    return np.asarray(pc.fill_null(pc.less(table["label_quality"], DOUBTFUL), False).to_numpy())


def _several(part: NDArray[np.int64], value: pa.ChunkedArray) -> Mask:
    """Return the rows of those parts that have two or more different values; a null is none."""
    pairs = pa.table({"p": part, "v": value}).filter(value.is_valid())
    per = pairs.group_by("p").aggregate([("v", "count_distinct")])
    torn = per.filter(pc.greater(per["v_count_distinct"], 1))["p"]
    return np.asarray(np.isin(part, torn.to_numpy()) & value.is_valid().to_numpy())


def _unlike_a_face(table: pa.Table) -> Mask:
    scores = measured(table)
    odd = [scores[name] > limit if above else scores[name] < limit for name, (limit, above) in UNLIKE_A_FACE.items()]
    return np.asarray(np.any(odd, axis=0))


def _torn(table: pa.Table) -> Mask:
    torn = np.zeros(table.num_rows, np.bool_)
    votes = table["votes"].combine_chunks()
    voted = np.flatnonzero(votes.is_valid().to_numpy(zero_copy_only=False))
    if len(voted):
        counts = votes.drop_null().flatten().to_numpy(zero_copy_only=False).reshape(len(voted), -1).astype(np.int64)
        torn[voted] = counts.max(axis=1) <= TORN_SHARE * np.maximum(counts.sum(axis=1), 1)
    return torn


def _disagrees(ids: Sequence[str], targets: Sequence[str | None], predicted: Mapping[str, Any]) -> Mask:
    if not predicted:
        return np.zeros(len(ids), np.bool_)

    def against(sample: str, word: str | None) -> bool:
        label, confidence = predicted.get(sample, (None, None))
        return None not in (label, word) and label != word and (confidence is None or confidence > CONFIDENT)

    return np.array([against(s, w) for s, w in zip(ids, targets, strict=True)], np.bool_)
