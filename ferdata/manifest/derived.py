"""A manifest's columns under another vote policy or other classes than it was written with."""

from collections.abc import Collection

import pyarrow as pa

from ferdata import labels
from ferdata.labels import Taxonomy
from ferdata.manifest.file import Manifest


def table_under(manifest: Manifest, names: Collection[str], votes: str | None, classes: Taxonomy) -> pa.Table:
    """Return the named columns, sorted by name; labels and target are derived anew where `votes` or `classes` ask so.

    Raises UnknownLabel, and BadOption for an unknown policy.
    """
    known = manifest.taxonomy
    if not votes and classes.classes == known.classes and classes.mapping == known.mapping:
        return manifest.table(*names).select(sorted(names))
    table = manifest.table(*({*names, *labels.DERIVED_FROM}))
    fresh = labels.derive(table, manifest.maps, votes or manifest.metadata["vote_policy"], classes)
    for name in sorted(fresh.keys() & set(names)):
        table = table.set_column(table.schema.get_field_index(name), name, fresh[name])
    return table.select(sorted(names))
