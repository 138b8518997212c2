"""`ferdata split`: a seed without an effect is reported, and only then."""

from collections.abc import Callable

import pytest

from tests.conftest import MakeManifest, Ran

NO_EFFECT = "--seed had no effect"


@pytest.mark.parametrize(
    ("splits", "more", "reported"),
    [
        (("train", "val", "test"), "--seed 3", True),
        (("train", "val", "test"), "", False),
        (("train", "val", "test"), "--seed 3 --folds loso", True),
        (("train", "val", "test"), "--seed 3 --folds 3", False),
        (("train", "val", "test"), "--seed 3 --cap fear=4", False),
        (("train", "val", "test"), "--seed 3 --split 0.5,0.25,0.25", False),
        (("train", "train", "test"), "--seed 3", False),
        ((None, None, None), "--seed 3", False),
    ],
)
def test_a_seed_is_reported_where_nothing_is_random(
    ferdata: Callable[..., Ran], make_manifest: MakeManifest, splits: tuple[str | None, ...], more: str, reported: bool
) -> None:
    rows = [
        {"native_label": "fear", "official_split": split, "subject": f"p{i}{k}"}
        for i, split in enumerate(splits)
        for k in range(5)
    ]
    path = make_manifest(*rows)
    assert ferdata("merge", path, "-o", "merged.parquet", "--by", "pixels,subject").code == 0
    ran = ferdata("split", "merged.parquet", "-o", "out.parquet", *more.split())
    assert ran.code == 0, ran
    assert (NO_EFFECT in ran.out) is reported
