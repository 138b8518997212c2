"""Share: a manifest without its pixels, as a file that can be shared where the images may not be redistributed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ferdata.errors import BadOption
from ferdata.manifest import Manifest, check_output
from ferdata.manifest.metadata import LABELS
from ferdata.running.whole_file import whole_file
from ferdata.shared_file import FORMAT, ROWS, parse


@dataclass(frozen=True)
class Shared:
    """What `share` wrote."""

    out: Path
    rows: int
    fingerprint: str
    datasets: tuple[str, ...]


def share(manifest: Path | str, *, out: Path | str, force: bool = False) -> Shared:
    """Write ids, pixel hashes, labels, splits and decisions of a manifest, and how it was made, to `out` (JSON).

    Roots, paths and pixels are left out. `rehydrate` rebuilds the manifest from it on another copy of the datasets.
    Raises NotAManifest, AlreadyExists, CannotWrite, and BadOption for an aligned manifest, one that a net has
    relabelled, or one made with a file outside its datasets' folders, which nobody else has.
    """
    opened, target = Manifest(Path(manifest)), Path(out)
    check_output(target, force, [opened.path])
    sources = {name: {k: v for k, v in s.items() if k != "root"} for name, s in opened.sources.items()}
    if _aligned(opened):
        raise BadOption(
            f"{opened.path} holds aligned crops, which cannot be rebuilt from a shared file.",
            "Share the manifest from before align. After rehydrate, run align on it again.",
        )
    if opened.table("proposed_label")["proposed_label"].null_count < opened.rows:
        raise BadOption(
            f"{opened.path} holds labels that a net has proposed, which a shared file does not carry.",
            "Share what was merged without --relabel-by, and the predictions beside it.",
        )
    table = opened.table(*ROWS)
    document: Mapping[str, Any] = {
        "format": FORMAT,
        "fingerprint": opened.fingerprint,
        "vote_policy": opened.metadata["vote_policy"],
        "taxonomy": opened.metadata["taxonomy"],
        "sources": sources,
        "lineage": _without_folders(opened.metadata["lineage"]),
        "rows": {name: table[name].to_pylist() for name in ROWS},
    }
    try:
        parse(document)
    except ValueError as error:
        raise BadOption(
            f"{opened.path} cannot be shared: {error}.",
            "Make it again from files inside the dataset's folder, with adapters that are installed here.",
        ) from None
    with whole_file(target) as temporary, temporary.open("w", encoding="utf-8") as file:
        json.dump(document, file, ensure_ascii=False, separators=(",", ":"))
    return Shared(target, opened.rows, opened.fingerprint, tuple(sources))


def _without_folders(lineage: Any) -> Any:
    """Return a lineage that names the files its options name, but not the folders where this machine keeps them."""
    if isinstance(lineage, list):
        return [_without_folders(inner) for inner in lineage]
    if isinstance(lineage, dict):
        return {name: _file_name(name, _without_folders(inner)) for name, inner in lineage.items()}
    return lineage


def _file_name(option: str, value: Any) -> Any:
    """Return the value of an option; where that may be a file's path, the last part of it alone."""
    return Path(value).name if option in (LABELS, "taxonomy") and isinstance(value, str) else value


def _aligned(opened: Manifest) -> bool:
    column = opened.table("alignment")["alignment"]
    return bool(column.null_count < len(column))
