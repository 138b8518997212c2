"""Where a table and the class folders both give a picture's label: which one counts is asked if they disagree."""

from collections.abc import Sequence
from dataclasses import dataclass

from ferdata.errors import BadOption, BrokenSource
from ferdata.sources.declaration import Option

BOTH, TABLE, FOLDERS = "both", "table", "folders"
LABELS_FROM = Option(
    "labels_from",
    "Which labels to use where a table is beside the class folders: both (they must agree), table, or folders.",
    BOTH,
    (BOTH, TABLE, FOLDERS),
)


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A line of a table (`where`, file and number) that gives a picture another label than its class folder."""

    where: str
    picture: str
    table: str
    folder: str


def check_agreement(found: Sequence[Disagreement], compared: int) -> None:
    """Raise BrokenSource, with the number of rows, if table and folders disagree on any of those compared."""
    if found:
        first = found[0]
        raise BrokenSource(
            f"{first.where}: label {first.table} for {first.picture}, which is in folder {first.folder}. Table and "
            f"folders disagree on {len(found):,} of {compared:,} rows.",
            "The files do not say which is right: look at some of these pictures, then choose --labels-from table or "
            "--labels-from folders.",
        )


def check_possible(labels_from: str | None, table: bool, what: str) -> None:
    """Raise BadOption where labels are wanted of a table or of folders, and `what` has not both."""
    if labels_from != BOTH and not table:
        raise BadOption(
            f"{what} has no table beside class folders, so there is nothing to choose.",
            "Leave out --labels-from.",
        )
