"""A model that others trained and somebody adopted: judged on a manifest, whose classes its answers are brought to."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from ferdata.errors import BadOption
from ferdata.labels import Taxonomy
from zoo.data.rows import Rows, load
from zoo.evaluation import inference
from zoo.evaluation.elsewhere import Answers, as_predictions, by_class, column_class, report_on
from zoo.evaluation.prediction_table import Table, meaning
from zoo.evaluation.predictions import Predictions
from zoo.run.model_file import Meta
from zoo.run.run_folder import Folder


def trained_on(folder: Folder, meta: Meta) -> Path:
    """Return the manifest that a run was trained on. Raises BadOption for an adopted one, of which none is known."""
    if meta.foreign is not None:
        raise BadOption(
            f"{folder.path} was adopted, and what it was trained on is not known.",
            "Name the manifest to judge it on: --manifest M.",
        )
    return folder.absolute(meta.manifest)


def judge(
    run: Path,
    net: nn.Module,
    meta: Meta,
    rows: Rows,
    split: str,
    roots: Mapping[str, Path] | None,
    tta: str,
    draws: int,
) -> tuple[dict[str, Any], dict[str, Any], Predictions]:
    """Score an adopted model on a split; return the report, the taxonomy, and what it said of each row.

    Classes that it cannot answer have the probability 0; of an answer that is no class of the manifest the rest is
    taken (`zoo.evaluation.elsewhere.by_class`). Raises FerdataError's kinds.
    """
    images = load(rows, {split: rows.where(split)}, meta.size, meta.channels, roots)[split]
    raw = inference.score(net, images.pixels, meta.mean, meta.std, tta)
    found = answers(run, meta, rows, images.where, raw)
    result = report_on(found, rows, split, draws)
    result["protocol"] |= {"tta": tta, "precision": "32-true", "adopted": meta.foreign}
    result["backbone"] = meta.backbone
    return result, rows.taxonomy.as_dict(), as_predictions(run, rows, split, found)


def answers(run: Path, meta: Meta, rows: Rows, where: Any, raw: Any) -> Answers:
    """Return an adopted model's probabilities (n, its classes) for the rows at `where` by the manifest's classes."""
    meanings = tuple(meaning(name, rows.taxonomy) or name for name in meta.classes)
    # A net's probabilities are no rounded ones of a file: also the smallest say what it holds of the other classes.
    p = np.maximum(np.asarray(raw, np.float64), np.finfo(np.float32).tiny)
    table = Table(run, "", [], p, meta.classes, meanings, ())
    p, facts = by_class(table, table.p, rows.taxonomy, least=0)
    return Answers(where, p, facts)


def read_as(meta: Meta, taxonomy: Taxonomy) -> tuple[int, ...]:
    """Return the number of the class of a taxonomy that each output of an adopted model is read as, -1 for none."""
    means = (meaning(name, taxonomy) or name for name in meta.classes)
    own = (column_class(word, taxonomy) for word in means)
    return tuple(-1 if name is None else taxonomy.classes.index(name) for name in own)
