"""What is worth a reviewer's look, row by row: the words behind the saved views, computed from the manifest alone."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ferdata.auditing.catalogue import BY_NAME
from ferdata.duplicates.label_conflicts import PICTURE_BY, pictures
from ferdata.labels import VOTE_COLUMNS
from ferdata.manifest.counts import split_column
from ferdata.reviewing.ledger import WORDS

Mask = NDArray[np.bool_]

SUSPECT, CONFLICT, LEAK, LOW_QUALITY = "suspect label", "conflict", "leak", "low quality"
COPY, TORN, DISAGREES, VOTES = "copy", "torn vote", "prediction disagrees", "suspect votes"
# What an audit's issue about a label or a split is called here; one about an image is LOW_QUALITY.
# A label may well be right where its votes are few, or others than a model expects: many rows, in views of their own.
OF_ISSUE: Mapping[str, str] = {
    "suspect_label": SUSPECT, "suspect_votes": VOTES, "vote_disagreement": TORN, "vote_entropy": TORN,
    "conflict": CONFLICT, "leak": LEAK,
}  # fmt: skip
DOUBTS = {SUSPECT, VOTES, CONFLICT, TORN, DISAGREES}  # those about the label
GRAVE = (SUSPECT, CONFLICT)  # the others are told by what a model and the votes say
DOUBTFUL = 0.5  # label_quality below it is suspect, where audit named no row so
TORN_SHARE = 0.5  # of the votes: no majority
CONFIDENT = 0.5  # a prediction that contradicts with more
DARK, LIGHT, FLAT = 0.06, 0.94, 0.03  # brightness and contrast of what can hardly be a face, 0..1
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
    "brightness",
    "contrast",
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
    """Return, for each row whose label is in doubt, why, in few words for a tile: the gravest finding about the label,
    what a model says instead, and the two labels with the most votes.

    `found` are the rows' findings; the rest is as in `findings`.
    """
    columns = table.select(["sample_id", "target", "votes"]).to_pydict()
    rows: list[list[str]] = []
    for i, names in enumerate(found):
        words: list[str] = []
        rows.append(words)
        if not DOUBTS.intersection(names):
            continue
        words += [name for name in GRAVE if name in names][:1]
        label, sure = predicted.get(columns["sample_id"][i], (None, None))
        if label is not None and label != columns["target"][i]:
            words.append(f"model: {label}" + ("" if sure is None else f" {sure:.0%}"))
        votes = columns["votes"][i]
        if votes:
            most = sorted(zip(votes, VOTE_COLUMNS, strict=True), key=lambda v: -v[0])[:2]
            words.append(", ".join(f"{n} {WORDS.get(name, name)}" for n, name in most if n))
    return rows


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
    bright, contrast = table["brightness"], table["contrast"]
    odd = pc.or_(pc.or_(pc.less(bright, DARK), pc.greater(bright, LIGHT)), pc.less(contrast, FLAT))
    return np.asarray(pc.fill_null(odd, False).to_numpy())


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
