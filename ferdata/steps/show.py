"""Show: what a manifest says of itself; no row is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ferdata.manifest import Manifest


@dataclass(frozen=True)
class Shown:
    """A manifest's metadata, and where its images are now (None: embedded only)."""

    manifest: Path
    schema_version: int
    rows: int
    size: int
    fingerprint: str
    taxonomy: str
    classes: tuple[str, ...]
    vote_policy: str
    sources: Mapping[str, Mapping[str, Any]]
    roots: Mapping[str, str | None]
    counts: Mapping[str, Mapping[str, Mapping[str, int]]]
    lineage: tuple[Mapping[str, Any], ...]


def show(manifest: Path | str) -> Shown:
    """Return what a manifest says of itself. Raises NotAManifest."""
    opened = Manifest(Path(manifest))
    return Shown(
        manifest=opened.path,
        schema_version=opened.metadata["schema_version"],
        rows=opened.rows,
        size=opened.file.size,
        fingerprint=opened.fingerprint,
        taxonomy=opened.taxonomy.name,
        classes=opened.taxonomy.classes,
        vote_policy=opened.metadata["vote_policy"],
        sources=opened.sources,
        roots={name: None if root is None else str(root) for name, root in opened.roots().items()},
        counts=opened.metadata["counts"],
        lineage=tuple(opened.metadata["lineage"]),
    )
