"""Sheet: a review as a table, for people without FiftyOne: exported as CSV, filled in, and imported again."""

from dataclasses import dataclass
from pathlib import Path

from ferdata import manifest as manifests
from ferdata.errors import BadOption, choose_one
from ferdata.manifest import Manifest
from ferdata.reviewing import csv_sheet
from ferdata.reviewing import ledger as ledgers
from ferdata.reviewing.apply_decisions import Ask
from ferdata.reviewing.csv_sheet import ONLY
from ferdata.steps.apply import Applied, apply
from ferdata.steps.review import reviewer


@dataclass(frozen=True)
class Exported:
    """A sheet that was written: of `rows` faces."""

    out: Path
    rows: int


@dataclass(frozen=True)
class Imported:
    """What a sheet held: `lines` of them `filled` in, `new` decisions that the ledger did not have."""

    ledger: Path
    lines: int
    filled: int
    new: int
    applied: Applied | None


def export(manifest: Path | str, *, out: Path | str, only: str = "all", force: bool = False) -> Exported:
    """Write a manifest's faces as a CSV file with the empty columns `new` and `note`, which a reviewer fills in.

    `only` leaves a finding's rows, or those that nobody has decided on. The file is UTF-8 with a mark, as
    spreadsheets want it. Raises BadOption, NotAManifest, AlreadyExists, CannotWrite.
    """
    opened, target = Manifest(Path(manifest)), Path(out)
    if only not in ONLY:
        raise BadOption(f"--only cannot be {only!r}.", choose_one(only, ONLY))
    manifests.check_output(target, force, [opened.path])
    return Exported(target, csv_sheet.write(opened, target, only))


def import_sheet(
    manifest: Path | str,
    sheet: Path | str,
    *,
    ledger: Path | str | None = None,
    by: str | None = None,
    resolve: str = "latest",
    ask: Ask | None = None,
) -> Imported:
    """Append the decisions of a filled-in sheet to a manifest's ledger, and apply the ledger.

    Lines with an empty `new` are skipped; `undo` there takes back the reviewer's decision. A repeated decision is not
    written twice. If a label is unknown, or a line is about two faces, nothing is imported.
    Raises BadOption, BrokenSource, UnknownLabel, NotAManifest, CannotWrite.
    """
    opened, source = Manifest(Path(manifest)), Path(sheet)
    path = Path(ledger) if ledger else ledgers.beside(opened.path)
    who = reviewer(by)
    lines = csv_sheet.read(source)
    filled = csv_sheet.decisions(lines, opened, source, who)
    new = csv_sheet.append_new(path, filled, who)
    applied = apply(opened.path, ledger=[path], resolve=resolve, ask=ask) if path.is_file() else None
    return Imported(path, len(lines), len(filled), new, applied)
