"""Validate: every rule of the schema against a manifest, all failures at once."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ferdata import labels
from ferdata.errors import FerdataError, FerdataWarning, InvalidManifest, UnknownLabel
from ferdata.manifest import Manifest, conform, stored_hash
from ferdata.manifest.fingerprint import Fingerprint
from ferdata.running import progress
from ferdata.schema import BY_NAME, COLUMNS, SPLITS, arrow_schema
from ferdata.splitting.rules import REASONS

SHOWN = 5


@dataclass(frozen=True)
class Failure:
    """One rule that is broken: how many rows, and the first of them."""

    rule: str
    count: int
    first: tuple[str, ...]

    def __str__(self) -> str:
        rows = f" ({self.count:,} rows, first {', '.join(self.first)})" if self.first else ""
        return self.rule + rows


def validate(manifest: Path | str, *, images: bool = False) -> int:
    """Check every rule, and every byte, and return the number of rows. Raises InvalidManifest, listing all failures.

    `images` also reads every image and compares its pixels with `pixel_hash`,
    or with `alignment.pixel_hash` where it was aligned. Warns of a manifest without checksums. Raises NotAManifest,
    DamagedManifest.
    """
    opened = Manifest(Path(manifest))
    opened.file.check()
    failures = list(_columns(opened))
    if not failures:
        table = opened.table()
        failures = [f for check in (_identity, _ranges, _words, _splits) for f in check(table)]
        failures += [*_derived(opened, table), *_measured(opened, table)]
        failures += _fingerprint(opened)
        failures += _pictures(opened) if images else _storage(opened)
    if failures:
        raise InvalidManifest(
            f"{manifest} breaks {len(failures)} rule(s):\n" + "\n".join(f"  - {f}" for f in failures),
            "Make it again from its sources (`ferdata show` says how it was made), or fix the program that wrote it.",
        )
    if not opened.file.protected:
        warnings.warn(
            FerdataWarning(
                f"{manifest} is not protected by checksums: an earlier ferdata, or another program, wrote it. If its "
                "bytes change, some of that will be read as other rows. Whatever step writes it again adds them."
            ),
            stacklevel=2,
        )
    return opened.rows


def _columns(opened: Manifest) -> Iterator[Failure]:
    found = opened.file.schema_arrow
    for field in arrow_schema():
        if field.name not in found.names and BY_NAME[field.name].later:
            continue
        if field.name not in found.names:
            yield Failure(f"column {field.name!r} is missing", opened.rows, ())
        elif found.field(field.name).type != field.type:
            yield Failure(f"column {field.name!r} is {found.field(field.name).type}, not {field.type}", 0, ())
    for name in found.names:
        if name not in {c.name for c in COLUMNS}:
            yield Failure(f"column {name!r} is not in the schema", opened.rows, ())


def _rule(table: pa.Table, rule: str, bad: pa.ChunkedArray | pa.Array) -> Iterator[Failure]:
    """Yield a failure if `bad`, a boolean per row (null counts as good), holds anywhere."""
    mask = pc.fill_null(bad, False)
    count = pc.sum(mask).as_py() or 0
    if count:
        ids = table["sample_id"].filter(mask).slice(0, SHOWN).to_pylist()
        yield Failure(rule, count, tuple(map(str, ids)))


def _identity(table: pa.Table) -> Iterator[Failure]:
    for column in COLUMNS:
        if column.required and column.name != "image":
            yield from _rule(table, f"{column.name} is null", table[column.name].is_null())
    counts = table["sample_id"].value_counts()
    twice = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
    yield from _rule(table, "sample_id is not unique", pc.is_in(table["sample_id"], twice))
    whole, prefix = table["sample_id"], pc.binary_join_element_wise(table["dataset"], "", ":")
    # Arrow has no elementwise starts_with: cutting the id at its first colon gives the same answer.
    stem = pc.replace_substring_regex(whole, "^([^:]*:).*$", r"\1")
    begins = pc.equal(stem, prefix)
    yield from _rule(table, "sample_id does not begin with its dataset", pc.invert(begins))


RANGES = {
    "width": (1, 1 << 20),
    "height": (1, 1 << 20),
    "brightness": (0, 1),
    "contrast": (0, 0.5001),
    "sharpness": (0, 1e6),
    "valence": (-1, 1),
    "arousal": (-1, 1),
    "label_quality": (0, 1),
    "fold": (0, 1 << 14),
    "group": (0, 1 << 62),
    "picture": (0, 1 << 62),
}


def _ranges(table: pa.Table) -> Iterator[Failure]:
    for name, (low, high) in RANGES.items():
        outside = pc.or_(pc.less(table[name], low), pc.greater(table[name], high))
        yield from _rule(table, f"{name} is outside {low}..{high}", outside)
    for name in ("votes", "ratings", "label_dist"):
        length = BY_NAME[name].length
        lengths = pc.list_value_length(table[name])
        yield from _rule(table, f"{name} does not hold {length} values", pc.not_equal(lengths, length))
        negative = pc.less(pc.list_flatten(table[name]), 0)
        if pc.any(negative).as_py():
            yield Failure(f"{name} holds a negative value", pc.sum(negative).as_py(), ())
    transform = pc.struct_field(table["alignment"], "transform")
    wrong = pc.and_(table["alignment"].is_valid(), pc.not_equal(pc.fill_null(pc.list_value_length(transform), 0), 6))
    yield from _rule(table, "alignment.transform does not hold 6 values", wrong)
    dist = table["label_dist"].combine_chunks().drop_null()
    sums = np.add.reduceat(np.append(dist.flatten(), 0), dist.offsets.to_numpy()[:-1]) if len(dist) else np.ones(1)
    if (off := int((abs(sums - 1) > 1e-3).sum())) > 0:
        yield Failure("label_dist does not sum to 1", off, ())


def _words(table: pa.Table) -> Iterator[Failure]:
    for name, allowed in (
        ("label", labels.EMOTIONS),
        ("proposed_label", labels.EMOTIONS),
        ("label_reason", labels.REASONS),
        ("official_split", SPLITS),
        ("split", SPLITS),
        ("split_reason", [why for why in REASONS if why]),
        ("mode", ("L", "RGB", "L16", "RGB16")),
    ):
        known = pc.is_in(table[name], pa.array(allowed, pa.string()))
        stranger = pc.and_(table[name].is_valid(), pc.invert(known))
        yield from _rule(table, f"{name} is not one of {', '.join(allowed)}", stranger)
    hash_form = pc.match_substring_regex(table["pixel_hash"], "^[0-9a-f]{32}$")
    yield from _rule(table, "pixel_hash is not 32 hexadecimal digits", pc.invert(hash_form))


def _splits(table: pa.Table) -> Iterator[Failure]:
    placed = table.filter(pc.and_(table["split"].is_valid(), table["group"].is_valid()))
    sides = placed.group_by("group").aggregate([("split", "count_distinct")])
    torn = sides.filter(pc.greater(sides["split_count_distinct"], 1))["group"]
    yield from _rule(
        table,
        "a group is in more than one split",
        pc.and_(pc.is_in(table["group"], torn), table["split"].is_valid()),
    )
    proposed = table["proposed_label"].is_valid()
    outside = pc.or_(pc.not_equal(pc.fill_null(table["split"], "none"), "train"), table["fold"].is_valid())
    yield from _rule(table, "proposed_label is set outside train, or where there are folds", pc.and_(proposed, outside))
    folds = table.filter(pc.and_(table["fold"].is_valid(), table["group"].is_valid()))
    kept = folds.group_by("group").aggregate([("fold", "count_distinct")])
    apart = kept.filter(pc.greater(kept["fold_count_distinct"], 1))["group"]
    yield from _rule(
        table,
        "a group is in more than one fold",
        pc.and_(pc.is_in(table["group"], apart), table["fold"].is_valid()),
    )
    if not len(placed):
        return  # grouped, but not split yet
    unexplained = pc.and_(pc.and_(table["group"].is_valid(), table["split"].is_null()), table["split_reason"].is_null())
    yield from _rule(table, "split is null without a split_reason", unexplained)


def _derived(opened: Manifest, table: pa.Table) -> Iterator[Failure]:
    """The derived columns must be what the metadata's maps, policy and taxonomy make of the row."""
    if pc.any(pc.not_equal(pc.list_value_length(table["votes"]), BY_NAME["votes"].length)).as_py():
        return  # told already, and nothing can be derived from them
    try:
        fresh = labels.derive(table, opened.maps, opened.metadata["vote_policy"], opened.taxonomy)
    except UnknownLabel as error:
        yield Failure(error.message, 0, ())
        return
    for name in ("label", "label_reason", "target"):
        both_null = pc.and_(table[name].is_null(), fresh[name].is_null())
        same = pc.or_(both_null, pc.fill_null(pc.equal(table[name], fresh[name]), False))
        yield from _rule(
            table, f"{name} does not follow from the label map, the vote policy and the taxonomy", pc.invert(same)
        )


def _measured(opened: Manifest, table: pa.Table) -> Iterator[Failure]:
    """Name the rows whose contrast may be wrong, since a version whose sums overflowed has measured them."""
    from ferdata.images import overflowed

    old = [name for name, source in opened.sources.items() if source.get("measured", 1) < 2]
    wrong = overflowed(*(table[name].to_numpy() for name in ("width", "height", "brightness")))
    for name in old:
        rows = pc.and_(pc.equal(table["dataset"], name), pa.array(wrong))
        yield from _rule(
            table,
            f"contrast may be wrong: an earlier ferdata measured these images of {name}, with an overflow in large "
            f"ones; ingest {name} again (then align, merge and audit again what was made from it)",
            rows,
        )


def _storage(opened: Manifest) -> Iterator[Failure]:
    nowhere = outside = 0
    for batch in opened.batches(["image"]):
        image = batch.column("image")
        nowhere += pc.sum(pc.and_(image.field("bytes").is_null(), image.field("path").is_null())).as_py() or 0
        path = image.field("path")
        leads_out = pc.match_substring_regex(path, r"^/|^[A-Za-z]:|\\|(^|/)\.\.(/|$)")
        outside += pc.sum(leads_out).as_py() or 0
    if outside:
        yield Failure("an image's path leads outside its root", outside, ())
    if nowhere:
        yield Failure("image has neither bytes nor a path", nowhere, ())


def _fingerprint(opened: Manifest) -> Iterator[Failure]:
    fingerprint = Fingerprint()
    columns = [c.name for c in COLUMNS if c.name != "image"]
    for batch in opened.batches(columns, rows=1 << 16):
        nulls = pa.nulls(batch.num_rows, arrow_schema("image").field(0).type)
        fingerprint.update(conform(batch.append_column("image", nulls)))
    if fingerprint.hexdigest() != opened.fingerprint:
        yield Failure("the rows do not match the fingerprint", 0, ())
    if opened.rows != opened.metadata["rows"]:
        yield Failure(f"the metadata counts {opened.metadata['rows']} rows, the file holds {opened.rows}", 0, ())


def _pictures(opened: Manifest) -> Iterator[Failure]:
    from ferdata.images import UnreadableImage, decode, pixel_hash

    gone: list[str] = []
    changed: list[str] = []
    roots = opened.roots_there()
    with progress.bar("validate images", opened.rows, "images") as advance:
        for batch in opened.batches(["sample_id", "dataset", "image", "pixel_hash", "alignment"]):
            for row in batch.to_pylist():
                try:
                    if pixel_hash(decode(opened.read_image(row, roots))) != stored_hash(row):
                        changed.append(row["sample_id"])
                except (FerdataError, UnreadableImage):
                    gone.append(row["sample_id"])
            advance(batch.num_rows)
    for rule, ids in (
        ("the image is missing or unreadable; FERDATA_ROOT_<NAME> says where a dataset is now", gone),
        ("the image is not the one that was ingested", changed),
    ):
        if ids:
            yield Failure(rule, len(ids), tuple(ids[:SHOWN]))
