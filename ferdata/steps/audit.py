"""Audit: the problems of a manifest's images, labels and splits; as columns, as counts, as a page to look at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ferdata import manifest as manifests
from ferdata.auditing import answers, pictures, predicted, suspects, whole
from ferdata.auditing.catalogue import CATALOGUE, OF_PARTS, Finding, check_names, thresholds
from ferdata.auditing.report import groups, page
from ferdata.errors import BadOption, choose_one
from ferdata.images import detectors as faces
from ferdata.images.alignment import NO_FACE, SEVERAL
from ferdata.manifest import Manifest, rejects
from ferdata.manifest.rewrite import rewritten_metadata, with_columns, write_rewritten

AUDIT_COLUMNS = tuple(
    dict.fromkeys(
        (
            "sample_id", *pictures.PICTURE_COLUMNS, *answers.ANSWER_COLUMNS, *whole.WHOLE_COLUMNS,
            *groups.GROUP_COLUMNS, "issues",
        )
    )
)  # fmt: skip
DETECT = ("none", *faces.DETECTORS)
Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Outcome:
    """What came of one finding: `count` rows (or parts) of the `of` that could be told; 0 of 0 where nobody looked.

    `rule` is the finding in words and `worst` the score furthest into it; `parts` are the parts and their scores, of a
    finding that is about parts.
    """

    name: str
    about: str
    owner: str
    meaning: str
    rule: str
    threshold: float
    count: int
    of: int
    worst: float | None
    parts: Mapping[str, float]


@dataclass(frozen=True)
class Audited:
    """What an audit found. `noise` is the share of wrong labels that confident learning estimates, None unpredicted.

    `rejected` counts, by reason, what ingest could not read; `failed` are those of `fail_on` that were found.
    """

    rows: int
    findings: tuple[Outcome, ...]
    failed: tuple[str, ...]
    noise: float | None
    rejected: Mapping[str, int]
    out: Path | None
    report: Path | None
    fingerprint: str | None


def audit(
    manifest: Path | str,
    *,
    out: Path | str | None = None,
    report: Path | str | None = None,
    predictions: Path | str | None = None,
    detect: str = "none",
    model: Path | str | None = None,
    pixels: bool = True,
    threshold: Sequence[str] = (),
    fail_on: Sequence[str] = (),
    thumbnails: int = 200,
    workers: int | None = None,
    force: bool = False,
) -> Audited:
    """Look for every finding of `ferdata.auditing.catalogue`; with `out`, write `issues` and `label_quality` too.

    `report` is a self-contained HTML page with up to `thumbnails` pictures a finding, worst first; where only `out` is
    named it lies beside it. `predictions` is a Parquet file of what nets say that were not trained on the rows they
    judge. `detect` looks for faces by `haar` or `yunet` (`model` is YuNet's file); in a manifest that was aligned, what
    align found is kept. Without `pixels` no image is read but those shown. `threshold` holds NAME=VALUE pairs.
    `label_quality` is the probability that a label is right where there are predictions, else the share of the votes
    for it. Raises NotAManifest, BadOption, MissingModel, MissingExtra, ImagesMissing, AlreadyExists, CannotWrite.
    """
    asked = check(
        manifest, out=out, report=report, detect=detect, model=model, pixels=pixels, threshold=threshold,
        fail_on=fail_on, force=force,
    )  # fmt: skip
    opened, target, paper, limits = asked.opened, asked.out, asked.report, asked.limits
    table = opened.table(*AUDIT_COLUMNS)
    labels = answers.read(table, opened.taxonomy)
    doubts = _doubts(opened, table, labels, predictions)
    looked = pictures.look(opened, None if detect == "none" else detect, asked.net, workers) if pixels else None
    scores = pictures.measured(table) | pictures.seen(table, looked) | answers.scores(labels) | whole.rows(table)
    quality = scores.get("vote_disagreement", np.full(opened.rows, np.nan, np.float32))
    if doubts is not None:
        scores |= {"suspect_label": doubts.quality, "suspect_votes": doubts.divergence}
        quality = np.where(np.isnan(doubts.quality), quality, doubts.quality)
    masks = {f.name: _amiss(f, limits[f.name], scores[f.name]) for f in CATALOGUE if f.name in scores}
    _keep_aligned(table, masks, scores)
    parts = whole.parts(table, opened.taxonomy.classes)
    rejected = rejects.unreadable(opened.path)
    outcomes = tuple(_outcome(f, limits[f.name], masks, scores, parts, rejected) for f in CATALOGUE)
    failed = tuple(o.name for o in outcomes if o.name in fail_on and o.count)
    noise = None if doubts is None else doubts.noise
    written = None
    if target is not None:
        options = {"detect": detect, "predictions": _name(predictions), "thresholds": dict(sorted(limits.items()))}
        columns = {"issues": _issues(masks, opened.rows), "label_quality": _nullable(quality)}
        written = _write(opened, target, columns, options, {o.name: o.count for o in outcomes if o.count}, force)
    if paper is not None:
        expected = None if doubts is None else doubts.expected
        shown = page.Shown(opened, target, table, labels, limits, masks, scores, quality, expected)
        page.write(paper, shown, [vars(o) for o in outcomes], noise, thumbnails)
    return Audited(opened.rows, outcomes, failed, noise, rejected, target, paper, written)


@dataclass(frozen=True)
class Asked:
    """What an audit was asked for, checked: files, each finding's threshold, and YuNet's bytes, if it is to be used."""

    opened: Manifest
    out: Path | None
    report: Path | None
    limits: Mapping[str, float]
    net: bytes | None


def check(
    manifest: Path | str,
    *,
    out: Path | str | None,
    report: Path | str | None,
    detect: str,
    model: Path | str | None,
    pixels: bool,
    threshold: Sequence[str],
    fail_on: Sequence[str],
    force: bool,
) -> Asked:
    """Raise now, before nets are trained or images read, what `audit` would raise for its options."""
    opened = Manifest(Path(manifest))
    target, paper = _outputs(opened, out, report, force)
    check_names(fail_on)
    return Asked(opened, target, paper, thresholds(threshold), _model(detect, model, pixels))


def _outputs(
    opened: Manifest, out: Path | str | None, report: Path | str | None, force: bool
) -> tuple[Path | None, Path | None]:
    """Return where manifest and page go. Raises AlreadyExists, CannotWrite before the work."""
    target = Path(out) if out else None
    paper = Path(report) if report else target.with_suffix(".html") if target else None
    if paper is not None and paper.suffix.lower() not in (".html", ".htm"):
        raise BadOption(f"The report cannot be {paper.name}.", "Name an HTML file: --report audit.html")
    for path in (target, paper):
        if path is not None:
            manifests.check_output(path, force, [opened.path])
    return target, paper


def _model(name: str, model: Path | str | None, pixels: bool) -> bytes | None:
    if name not in DETECT:
        raise BadOption(f"--detect cannot be {name!r}.", choose_one(name, DETECT))
    if name != "none" and not pixels:
        raise BadOption("--detect looks at pixels, and --no-pixels does not.", "Leave one of them out.")
    if name != "yunet":
        if model:
            raise BadOption(f"--model is for YuNet, and --detect is {name}.", "Leave one of them out.")
        return None
    return faces.read_model(faces.find_model(model))


def _doubts(
    opened: Manifest, table: pa.Table, labels: answers.Labels, predictions: Path | str | None
) -> suspects.Suspects | None:
    if predictions is None:
        return None
    return suspects.find(labels, predicted.read(Path(predictions), table["sample_id"], opened.taxonomy.classes))


def _nullable(scores: Scores) -> pa.Array:
    """Return scores as a column, null for NaN."""
    return pa.array(scores, pa.float32(), from_pandas=True)


def _amiss(finding: Finding, limit: float, scores: Scores) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):  # NaN: nothing is said of that row
        return scores > limit if finding.above else scores < limit


def _keep_aligned(table: pa.Table, masks: dict[str, NDArray[np.bool_]], scores: dict[str, Scores]) -> None:
    """Take over what align found of faces, where this audit has not looked for any."""
    if "no_face" in scores or table["issues"].null_count == table.num_rows:
        return
    had = table["issues"].to_pylist()
    for name in (NO_FACE, SEVERAL):
        mask = np.array([name in (row or ()) for row in had], np.bool_)
        if mask.any():
            masks[name] = mask
            scores[name] = np.where(mask, 0.0 if name == NO_FACE else 1.0, np.nan).astype(np.float32)


def _outcome(
    finding: Finding,
    limit: float,
    masks: Mapping[str, NDArray[np.bool_]],
    scores: Mapping[str, Scores],
    parts: Mapping[str, Mapping[str, float]],
    rejected: Mapping[str, int],
) -> Outcome:
    """Count one finding, and take its worst score."""
    own = {**parts[finding.name]} if finding.name in OF_PARTS else {}
    score = np.array(list(own.values()), np.float32) if finding.name in OF_PARTS else scores.get(finding.name)
    if score is None:
        score = np.empty(0, np.float32)
    mask = masks[finding.name] if finding.name in masks else _amiss(finding, limit, score)
    hit = score[mask]
    worst = (float(hit.max()) if finding.above else float(hit.min())) if len(hit) else None
    more = sum(rejected.values()) if finding.name == "unreadable" else 0
    return Outcome(
        finding.name, finding.about, finding.owner, finding.meaning, finding.holds(limit), limit,
        int(mask.sum()) + more, int((~np.isnan(score)).sum()) + more, worst, own,
    )  # fmt: skip


def _name(path: Path | str | None) -> str | None:
    return None if path is None else Path(path).name


def _issues(masks: Mapping[str, NDArray[np.bool_]], rows: int) -> pa.Array:
    """Return the column `issues`: the names of each row's findings in the catalogue's order, null for none."""
    names = [f.name for f in CATALOGUE if f.name in masks]
    whole_mask = np.stack([masks[name] for name in names], axis=1) if names else np.zeros((rows, 0), np.bool_)
    number = whole_mask.sum(axis=1)
    ends = np.concatenate([[0], np.cumsum(number)]).astype(np.int32)
    values = pa.array(names, pa.string()).take(pa.array(np.nonzero(whole_mask)[1]))
    return pa.ListArray.from_arrays(pa.array(ends), values, mask=pa.array(number == 0))


def _write(
    opened: Manifest,
    target: Path,
    new: Mapping[str, pa.Array],
    options: dict[str, Any],
    found: dict[str, int],
    force: bool,
) -> str:
    """Write the manifest with the new columns; return its fingerprint."""
    rows = {"rows_in": opened.rows, "rows_out": opened.rows}
    record = manifests.step_record("audit", options, [opened], **rows, found=found)
    metadata = rewritten_metadata([opened], target, [record])
    return str(write_rewritten([opened], target, with_columns([opened], new, "write"), metadata, force)["fingerprint"])
