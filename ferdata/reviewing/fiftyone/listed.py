"""Rows named by a list of ids, such as those that an audit's page saves, as a saved view of the App."""

import csv
import io
from pathlib import Path
from typing import Any

from ferdata.errors import BadOption
from ferdata.running.plain_file import read_plain


def ids(path: Path) -> list[str]:
    """Return the column `sample_id` of a CSV file, each id once, in its order. Raises BadOption."""
    hint = "Give a CSV file with a column sample_id, as the audit's page saves it."
    try:
        text = read_plain(path).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadOption(f"Cannot read the list {path}: {getattr(error, 'strerror', None) or error}.", hint) from None
    reader = csv.DictReader(io.StringIO(text, newline=""))
    if "sample_id" not in (reader.fieldnames or ()):
        raise BadOption(f"{path} has no column sample_id.", hint)
    try:
        return list(dict.fromkeys(line["sample_id"] for line in reader if line["sample_id"]))
    except csv.Error as error:
        raise BadOption(f"{path} is not a CSV file: {error}.", hint) from None


def save_view(dataset: Any, path: Path, wanted: list[str]) -> str:
    """Save the rows of a list as a view, in the list's order, and return its name, which says how many they are.

    It takes the place of an earlier one of that file's name. Raises BadOption where the dataset has none of the rows.
    """
    held = set(dataset.distinct("sample_id"))
    there = [name for name in wanted if name in held]
    if not there:
        raise BadOption(
            f"None of the {len(wanted):,} ids in {path} is in this manifest.", "Is the list of this manifest?"
        )
    title = f"List: {path.stem} ("
    for name in dataset.list_saved_views():
        if name.startswith(title):
            dataset.delete_saved_view(name)
    count = f"{len(there):,}" if len(there) == len(wanted) else f"{len(there):,} of {len(wanted):,} ids"
    name = f"{title}{count})"
    dataset.save_view(name, dataset.select_by("sample_id", there, ordered=True), description=f"the rows of {path.name}")
    return name
