"""How conflicting labels are printed: a line per pair of datasets, and a table of labels for each."""

from collections.abc import Callable

from ferdata.cli.layout import prose
from ferdata.cli.output import table
from ferdata.duplicates.label_conflicts import Against, Conflicts


def report(found: Conflicts, *, cells: bool = True, printer: Callable[..., None] = table, words: bool = True) -> None:
    """Print the agreement of each pair of datasets and, with `cells`, a table of labels for each."""
    if words:
        prose(
            f"{found.copied:,} pictures are in two or more labelled rows; {found.pictures:,} of them with different "
            f"labels ({found.rows:,} rows)\n"
        )
    if not found.between:
        return
    rows = [
        (a.first, a.second, a.pictures, _percent(a.agreement), _percent(a.on_shared), _disagreement(a))
        for a in found.between
    ]
    printer(
        "Label conflicts",
        ("dataset", "against", "pictures", "% agree", "% on shared", "most frequent disagreement"),
        rows,
        caption="% on shared: among the classes that both datasets use here. A dataset against itself: its copies.",
        text=2,
    )
    for against in found.between if cells else ():
        _cells(against, printer)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f}"


def _disagreement(against: Against) -> str:
    worst = max((c for c in against.cells if c[0] != c[1]), key=lambda c: c[2], default=None)
    return f"{worst[0]} / {worst[1]} ({worst[2]:,})" if worst else "-"


def _cells(against: Against, printer: Callable[..., None]) -> None:
    counted = {(a, b): n for a, b, n in against.cells}
    columns = sorted({b for _, b in counted})
    printer(
        f"Pictures by label: {against.first} (rows) against {against.second} (columns)",
        (against.first, *columns),
        [(row, *(counted.get((row, column), 0) for column in columns)) for row in sorted({a for a, _ in counted})],
    )
