"""Group: which rows show the same picture, person or clip, and so must never be in two splits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from ferdata import manifest as manifests
from ferdata.duplicates import Trial, trial
from ferdata.duplicates.groups import BY, GROUP_COLUMNS, MOST, across_sides, checked_reasons, group_rows
from ferdata.manifest import Manifest
from ferdata.manifest.rewrite import rewritten_metadata, with_columns, write_rewritten


@dataclass(frozen=True)
class Grouped:
    """What grouping a manifest found; `out` is None where nothing was written.

    `sides` counts groups that are in several splits of the manifest: leaks. `versions`, `scenes` and the
    others are those of `ferdata.duplicates.groups.Groups`.
    """

    out: Path | None
    rows: int
    by: tuple[str, ...]
    groups: int
    largest: int
    largest_of: str
    identical: int
    images: int
    across: Mapping[str, int]
    near: int
    versions: int
    versions_of: str
    scenes: int
    groups_across: Mapping[str, int]
    sides: Mapping[str, int]
    fingerprint: str | None


def self_test(manifest: Path | str, *, thorough: bool = False, seed: int = 0) -> Trial:
    """Add synthetic duplicates of every kind to the manifest's images, and count which are found."""
    return trial(Manifest(Path(manifest)), thorough=thorough, seed=seed)


def group(
    manifest: Path | str,
    *,
    out: Path | str | None = None,
    by: Sequence[str] = BY,
    thorough: bool = False,
    workers: int | None = None,
    most: float = MOST,
    force: bool = False,
) -> Grouped:
    """Group a manifest's rows by BY or some of it; with `out`, write it again with the column `group` filled.

    `workers` is how many processes look for near duplicates: one per core by default.
    Raises NotAManifest, BadOption, AlreadyExists, CannotWrite, ImagesMissing, BrokenSource.
    """
    opened, target = Manifest(Path(manifest)), Path(out) if out else None
    if target:
        manifests.check_output(target, force, [opened.path])
    reasons = checked_reasons(by)
    table = opened.table(*GROUP_COLUMNS, "split")
    found = group_rows([opened], table, by=reasons, thorough=thorough, most=most, workers=workers)
    sides = across_sides(table["split"], found.group)
    written = None
    if target:
        options = {"by": ",".join(reasons), "thorough": thorough, "most": most}
        record = manifests.step_record(
            "group", options, [opened], rows_in=opened.rows, rows_out=opened.rows, groups=found.count
        )
        new = {"group": pa.array(found.group), "picture": pa.array(found.picture)}
        metadata = rewritten_metadata([opened], target, [record])
        written = write_rewritten([opened], target, with_columns([opened], new, "write"), metadata, force)[
            "fingerprint"
        ]
    return Grouped(
        target, opened.rows, reasons, found.count, found.largest, found.largest_of, found.identical, found.images,
        found.across, found.near, found.versions, found.versions_of, found.scenes, found.groups_across, sides, written,
    )  # fmt: skip
