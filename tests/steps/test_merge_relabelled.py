"""Relabelled merging: what a net proposes is a column of its own, in train alone, and goes when a row leaves train."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ferdata import labels
from ferdata.errors import BadOption
from ferdata.labels import EMOTIONS
from ferdata.manifest import Manifest
from ferdata.manifest.frame import from_frame, to_frame
from ferdata.steps.merge import Merged, merge
from ferdata.steps.share import share
from ferdata.steps.split import split
from ferdata.steps.stats import stats
from ferdata.steps.validate import validate
from tests.conftest import MakeManifest, Ran

# Row by row: the split, the publisher's label, what a net says, and how sure it is.
GIVEN = (
    ("train", "fear", "surprise", 0.95),
    ("train", "fear", "surprise", 0.85),  # not sure enough
    ("train", "fear", "fear", 0.99),
    ("train", None, "surprise", 0.99),  # nobody called it anything
    ("val", "fear", "surprise", 0.99),
    ("test", "fear", "surprise", 0.99),
    ("train", "anger", "disgust", 0.91),
)


@pytest.fixture
def path(make_manifest: MakeManifest) -> Path:
    return make_manifest(*[{"official_split": s, "native_label": label} for s, label, _, _ in GIVEN])


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    return predict(tmp_path / "said.parquet", {f"made:{i:04}": (e, p) for i, (_, _, e, p) in enumerate(GIVEN)})


def predict(path: Path, said: Mapping[str, tuple[str, float]]) -> Path:
    p = {e: [share if e == of else (1 - share) / 7 for of, share in said.values()] for e in EMOTIONS}
    pq.write_table(pa.table({"sample_id": list(said), **p}), path)
    return path


@pytest.fixture
def relabelled(path: Path, predictions: Path, tmp_path: Path) -> Merged:
    return merge(path, out=tmp_path / "m.parquet", relabel_by=predictions)


def column(path: Path, name: str) -> list:
    return Manifest(path).table(name)[name].to_pylist()


def test_a_sure_net_relabels_train_alone_and_the_publishers_word_stays(relabelled: Merged) -> None:
    nothing = [None] * 5
    assert column(relabelled.out, "proposed_label") == ["surprise", *nothing, "disgust"]
    assert column(relabelled.out, "target") == ["surprise", "fear", "fear", None, "fear", "fear", "disgust"]
    own = [label for _, label, _, _ in GIVEN]
    assert column(relabelled.out, "native_label") == column(relabelled.out, "label") == own
    assert validate(relabelled.out) == len(GIVEN)


def test_how_many_became_what_is_told_and_kept(relabelled: Merged) -> None:
    assert relabelled.proposed is not None
    assert (relabelled.proposed.count, relabelled.proposed.judged) == (2, 4)
    counts = {"made": {"anger to disgust": 1, "fear to surprise": 1}}
    assert relabelled.proposed.counts == counts
    (step,) = Manifest(relabelled.out).metadata["lineage"]
    assert (step["proposed"], step["options"]["confidence"]) == (counts, 0.9)
    assert stats(relabelled.out).proposed == {"made": 2}


def test_a_row_that_leaves_train_has_its_own_label_again(relabelled: Merged, tmp_path: Path) -> None:
    frozen = tmp_path / "ids.csv"
    splits = ["test", "train", "train", "train", "val", "test", "train"]
    frozen.write_text("sample_id,split\n" + "".join(f"made:{i:04},{s}\n" for i, s in enumerate(splits)))
    again = split(relabelled.out, out=tmp_path / "s.parquet", frozen=frozen).out
    assert column(again, "split")[0] == "test"
    assert (column(again, "target")[0], column(again, "target")[6]) == ("fear", "disgust")
    assert column(again, "proposed_label")[0] is None
    assert validate(again)
    frame = to_frame(relabelled.out, "split")
    frame["split"] = splits
    written = from_frame(frame, like=relabelled.out, out=tmp_path / "f.parquet").path
    assert (column(written, "target")[0], column(written, "target")[6]) == ("fear", "disgust")


def test_merged_again_without_predictions_nothing_is_proposed(relabelled: Merged, path: Path, tmp_path: Path) -> None:
    naive = merge(path, out=tmp_path / "naive.parquet").fingerprint
    assert merge(relabelled.out, out=tmp_path / "again.parquet").fingerprint == naive != relabelled.fingerprint


def test_what_a_reviewer_decided_is_not_relabelled(
    make_manifest: MakeManifest, predictions: Path, tmp_path: Path
) -> None:
    reviewed = make_manifest(
        {"official_split": "train", "native_label": "anger", "reviewed_label": "fear"},
        {"official_split": "train", "native_label": "fear"},
    )
    done = merge(reviewed, out=tmp_path / "m.parquet", relabel_by=predictions, confidence=0.8)
    assert column(done.out, "target") == ["fear", "surprise"]
    assert column(done.out, "proposed_label") == [None, "surprise"]


def test_what_cannot_be_relabelled_is_refused(
    path: Path, predictions: Path, relabelled: Merged, tmp_path: Path
) -> None:
    out = tmp_path / "no.parquet"
    for confidence in (0.4, 1.0, -1):
        with pytest.raises(BadOption, match="--confidence"):
            merge(path, out=out, relabel_by=predictions, confidence=confidence)
    with pytest.raises(BadOption, match="--folds tests on rows of train"):
        merge(path, out=out, relabel_by=predictions, folds=2)
    with pytest.raises(BadOption, match="folds would test on them"):
        split(relabelled.out, out=out, folds=2)
    with pytest.raises(BadOption, match="negative stands for"):
        merge(path, out=out, relabel_by=predictions, taxonomy="valence3")
    with pytest.raises(BadOption, match="predicts none of"):
        merge(path, out=out, relabel_by=predict(tmp_path / "x.parquet", {"other:1": ("fear", 0.9)}))
    with pytest.raises(BadOption, match="a net has proposed"):
        share(relabelled.out, out=tmp_path / "shared.json")


def test_predictions_that_are_not_out_of_fold_are_warned_of(
    ferdata: Callable[..., Ran], path: Path, predictions: Path
) -> None:
    ran = ferdata("merge", path, "-o", "m.parquet", "--relabel-by", predictions)
    assert ran.code == 0, ran
    assert "fear to surprise" in ran.out
    assert "relabelled: 2 made" in ferdata("show", "m.parquet").out
    assert "do not say that they are out of fold" in ran.out
    table = pq.read_table(predictions).replace_schema_metadata({"ferdata": '{"out_of_fold": true}'})
    pq.write_table(table, predictions)
    assert "out of fold" not in ferdata("merge", path, "-o", "n.parquet", "--relabel-by", predictions).out
    assert ferdata("merge", path, "-o", "o.parquet", "--confidence", "0.8").code == 2


def test_a_proposal_is_an_emotion_whatever_the_classes_are_called(path: Path, tmp_path: Path) -> None:
    three = {f"made:{i:04}": ("happy", 0.95) for i in range(len(GIVEN))}
    p = {c: [0.95 if c == "happy" else 0.025] * len(three) for c in labels.taxonomy("fer3").classes}
    said = tmp_path / "three.parquet"
    pq.write_table(pa.table({"sample_id": list(three), **p}), said)
    done = merge(path, out=tmp_path / "m.parquet", taxonomy="fer3", relabel_by=said)
    assert column(done.out, "proposed_label") == [None] * 6 + ["happiness"]
    assert column(done.out, "target")[6] == "happy"
    assert np.all([label in (*EMOTIONS, None) for label in column(done.out, "label")])
