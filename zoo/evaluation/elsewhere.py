"""A model trained elsewhere, of which there is no more than a table of its predictions: judged as a run is.

How it was trained is not known, and is never guessed: no temperature, no choice of an epoch, no check for leaks.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferdata.errors import BadOption, listed
from ferdata.labels import EMOTIONS, Taxonomy
from zoo.data.rows import Rows
from zoo.evaluation import predictions, report
from zoo.evaluation.match_rows import match
from zoo.evaluation.prediction_table import FORM, Floats, Table, read
from zoo.evaluation.predictions import Predictions

NOT_KNOWN = "not known: trained elsewhere"
LEAST = 1e-6  # what the classes left must have of a row's probability, so that their shares mean something
SHOWN = 3  # rows named in an error


@dataclass(frozen=True)
class Answers:
    """What a table says of rows: `where` in the manifest, `p` float32 (n, classes), and `facts` on how it was read."""

    where: NDArray[np.intp]
    p: NDArray[np.float32]
    facts: dict[str, Any]


def judge(
    path: Path, rows: Rows, split: str, dataset: str | None, shared: bool, draws: int
) -> tuple[dict[str, Any], Predictions]:
    """Return the report on a table's predictions of a split, and the predictions as a run would keep them.

    With `shared` only the rows of the split that the table has are judged. Raises BadOption as `answers` does.
    """
    found = answers(path, rows, rows.where(split), dataset, shared)
    result = report_on(found, rows, split, draws)
    result["protocol"] |= {"tta": NOT_KNOWN, "precision": NOT_KNOWN, "predictions": str(path)}
    result["backbone"] = None
    return result, as_predictions(path, rows, split, found)


def report_on(found: Answers, rows: Rows, split: str, draws: int) -> dict[str, Any]:
    """Return the report on answers to rows of a split, of a model whose training is not known."""
    result = report.figures(rows, found.where, found.p, split, 1.0, draws)
    result["protocol"] |= {
        **{"fold": None, "selection": NOT_KNOWN, "chosen": {}, "table": found.facts},
        "leak_check": {"by": "nothing: what it was trained on is not known", "shared_with_train": None},
    }
    return result


def as_predictions(path: Path, rows: Rows, split: str, found: Answers) -> Predictions:
    """Return a table's answers as a run would keep them."""
    facts = {"taxonomy": rows.taxonomy.as_dict(), "temperature": 1.0, "elsewhere": path.name}
    return predictions.of_rows(rows, {split: (found.where, found.p)}, **facts)


def answers(path: Path, rows: Rows, where: NDArray[np.intp], dataset: str | None, shared: bool) -> Answers:
    """Return what the table at `path` says of the rows at `where`.

    Raises BadOption for what is no such table, one of other images, and, unless `shared`, one without all of the rows.
    """
    table = read(path, rows.taxonomy)
    matched = match(table, rows, where, dataset)
    there = matched.line >= 0
    lacking = int((~there).sum())
    if not there.any():
        raise BadOption(
            f"{path} has none of the {len(where):,} rows asked for; {matched.others:,} of its lines are about others.",
            "Choose their split with --split; --split all takes every labelled row.",
        )
    if lacking and not shared:
        first = rows.table["sample_id"].take(where[~there][:SHOWN]).to_pylist()
        raise BadOption(
            f"{path} lacks {lacking:,} of the {len(where):,} rows: {listed(first, SHOWN)}"
            f"{' and others' if lacking > SHOWN else ''}.",
            "Predict those too; or judge the rows that it has, which may be easier ones, with --shared.",
        )
    p, classes = by_class(table, table.at(matched.line[there]), rows.taxonomy)
    facts = {
        "matched_by": table.named_by,
        **classes,
        "columns_ignored": list(table.ignored),
        **{"lines": len(table.names), "lines_of_other_rows": matched.others, "lines_of_no_row": len(matched.unknown)},
        **{"of_no_row": list(matched.unknown[:SHOWN]), "rows_lacking": lacking},
    }
    return Answers(where[there], p, facts)


def by_class(
    table: Table, p: Floats, taxonomy: Taxonomy, least: float = LEAST
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Return probabilities (n, columns) by the classes of a taxonomy, float32 (n, classes), and how that was done.

    Emotions that are one class are added up. What a column says of an emotion that is no class is left out, and the
    rest divided by its sum, as if the model could not have given that answer: no row here has it. A class without a
    column has the probability 0. Raises BadOption where two columns are of the same, or less than `least` is left of a
    row.
    """
    own = [column_class(means, taxonomy) for means in table.meanings]
    _check_columns(table, own, taxonomy)
    kept = np.array([name is not None for name in own])
    left = np.flatnonzero(~kept)
    rest = p[:, kept].sum(1)
    if gone := int((rest < least).sum()):
        raise BadOption(
            f"{table.path}: in {gone:,} lines all probability is on {listed(table.columns[i] for i in left)}, which "
            f"is no class of the taxonomy {taxonomy.name}.",
            "Merge the manifest under a taxonomy that has it (ferdata merge M --taxonomy basic8), or predict without.",
        )
    result = np.zeros((len(p), len(taxonomy.classes)))
    for column, name in enumerate(own):
        if name is not None:
            result[:, taxonomy.classes.index(name)] += p[:, column] / rest
    return result.astype(np.float32), {
        "columns": {column: name for column, name in zip(table.columns, own, strict=True) if name is not None},
        "classes_lacking": [name for name in taxonomy.classes if name not in own],
        "left_out": {table.columns[i]: float(p[:, i].mean()) for i in left},
        "left_out_most_probable": int(np.isin(p.argmax(1), left).sum()),
    }


def column_class(means: str, taxonomy: Taxonomy) -> str | None:
    """Return the class that a column's meaning stands for; None for an emotion or a reason that has none."""
    return means if means in taxonomy.classes else taxonomy.mapping.get(means)


def _check_columns(table: Table, own: list[str | None], taxonomy: Taxonomy) -> None:
    if not any(own):
        raise BadOption(
            f"{table.path} has columns for {listed(table.columns)}, none of which is a class of the taxonomy "
            f"{taxonomy.name}: {', '.join(taxonomy.classes)}.",
            FORM,
        )
    for name in dict.fromkeys(own):
        of = [i for i, other in enumerate(own) if other == name and name is not None]
        meanings = {table.meanings[i] for i in of}
        whole = name in meanings and name not in EMOTIONS  # a column of the class beside one of an emotion in it
        if len(of) > 1 and (len(meanings) < len(of) or whole):
            raise BadOption(
                f"{table.path} has {len(of)} columns for {name}: {listed(table.columns[i] for i in of)}.",
                "Keep one of them.",
            )
