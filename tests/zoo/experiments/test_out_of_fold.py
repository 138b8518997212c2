"""Out-of-fold predictions: no row is judged by a net that saw it or a copy, and flipped labels stand out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferdata.auditing import answers, suspects
from ferdata.errors import BadOption
from ferdata.manifest import Manifest
from tests.conftest import Ran, picture
from tests.zoo.conftest import QUICK, SHAPES, MakeShapes, shape_rows
from zoo.evaluation import predictions
from zoo.experiments.out_of_fold import assign, out_of_fold

FAST = {"options": {k: v for k, v in QUICK.items() if k not in ("epochs", "device")}, "device": "cpu"}


def test_copies_persons_and_clips_share_a_fold_where_no_group_is_known(shapes: MakeShapes) -> None:
    rows: list[dict[str, Any]] = [
        {"native_label": SHAPES[i % 4], "pixels": picture(i // 2 if i < 60 else i, 32)} for i in range(200)
    ]
    for i in range(60):
        rows[i]["native_label"] = SHAPES[i // 2 % 4]
    for i in range(60, 120):
        rows[i]["subject"] = f"p{i % 7}"
    made = shapes(rows)
    fold = assign(Manifest(made), 4)
    assert set(fold.tolist()) == {0, 1, 2, 3}
    assert all(fold[i] == fold[i + 1] for i in range(0, 60, 2))
    for person in range(7):
        assert len({int(fold[i]) for i in range(60, 120) if i % 7 == person}) == 1
    assert (np.bincount(fold) > 20).all()


def test_groups_are_taken_as_they_are_and_classes_are_spread(shapes: MakeShapes) -> None:
    rows = shape_rows()
    for i, row in enumerate(rows):
        row["group"] = i // 2
    fold = assign(Manifest(shapes(rows)), 4, seed=1)
    assert (fold[::2] == fold[1::2]).all()
    for k in range(4):
        labels = [rows[i]["native_label"] for i in np.flatnonzero(fold == k)]
        assert min(labels.count(s) for s in SHAPES) >= 8


def test_flipped_labels_are_ranked_first_by_nets_that_have_not_seen_them(shapes: MakeShapes, tmp_path: Path) -> None:
    rows = shape_rows()
    flipped = list(range(3, len(rows), 17))
    for i in flipped:
        rows[i]["native_label"] = SHAPES[(SHAPES.index(rows[i]["native_label"]) + 1) % 4]
    made = shapes(rows)
    lines: list[str] = []
    found = out_of_fold(made, folds=3, epochs=6, save=tmp_path / "said.parquet", say=lines.append, **FAST)  # type: ignore[arg-type]
    assert len(found) == len(rows)
    assert len([line for line in lines if line.startswith("fold")]) == 3
    opened = Manifest(made)
    assert found.sample_id.tolist() == opened.table("sample_id")["sample_id"].to_pylist()
    assert set(found.split) == {"train", "val", "test"}
    assert found.facts["out_of_fold"]  # merge --relabel-by asks for it
    labels = answers.read(opened.table(*answers.ANSWER_COLUMNS), opened.taxonomy)
    quality = suspects.find(labels, found.probabilities).quality
    first = np.argsort(quality)[: len(flipped)]
    assert len(set(first.tolist()) & set(flipped)) >= 0.7 * len(flipped)
    kept = predictions.read(tmp_path / "said.parquet")
    np.testing.assert_array_equal(kept.probabilities, found.probabilities)


def test_the_same_seed_says_the_same(shapes: MakeShapes) -> None:
    made = shapes(shape_rows())
    one, two = (out_of_fold(made, folds=2, epochs=1, **FAST) for _ in range(2))  # type: ignore[arg-type]
    np.testing.assert_array_equal(one.probabilities, two.probabilities)


def test_what_cannot_be_judged_is_refused_with_the_reason(shapes: MakeShapes) -> None:
    made = shapes(shape_rows())
    with pytest.raises(BadOption, match="--folds cannot be 1"):
        out_of_fold(made, folds=1)
    with pytest.raises(BadOption, match="no trees"):
        out_of_fold(made, options={"head": "xgboost"})
    one = shapes([row for row in shape_rows() if row["native_label"] == "anger"], name="one")
    with pytest.raises(BadOption, match="fewer than two classes"):
        out_of_fold(one, **FAST)  # type: ignore[arg-type]


def test_the_command_trains_and_audits_in_one(ferdata: Callable[..., Ran], shapes: MakeShapes) -> None:
    made = shapes(shape_rows())
    options = ("--folds", 2, "--epochs", 1, "--set", "size=32", "--set", "batch=16", "--device", "cpu")
    ran = ferdata("audit", made, "--fit", *options, "-o", "out.parquet", "--save-predictions", "said.parquet")
    assert ran.code == 0, ran
    assert "suspect_label" in ran.out
    quality = Manifest(Path("out.parquet")).table("label_quality")["label_quality"]
    assert quality.null_count == 0
    again = ferdata("audit", made, "--predictions", "said.parquet", "-o", "again.parquet")
    assert again.code == 0, again
    assert Manifest(Path("again.parquet")).table("label_quality")["label_quality"].equals(quality)
