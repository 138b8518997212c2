"""`ferdata split`: a seed that has no say is told of, and only then."""

from collections.abc import Callable

import pytest

from tests.conftest import MakeManifest, Ran

NO_SAY = "another --seed changes nothing"


@pytest.mark.parametrize(
    ("splits", "more", "told"),
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
def test_a_seed_is_told_of_where_nothing_is_drawn(
    ferdata: Callable[..., Ran], make_manifest: MakeManifest, splits: tuple[str | None, ...], more: str, told: bool
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
    assert (NO_SAY in ran.out) is told
