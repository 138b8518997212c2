"""What a model said, as files; and features laid out in the plane."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ferdata.errors import BadOption
from ferdata.reviewing.fiftyone import inputs
from ferdata.steps.review import review
from tests.reviewing.fiftyone.loaded import load, shown


def two_crowds(n: int = 60, d: int = 20) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(0, 1, (n, d)), rng.normal(6, 1, (n, d))]).astype(np.float32)


def test_the_plane_is_that_of_the_two_largest_principal_components() -> None:
    from sklearn.decomposition import PCA

    values = two_crowds()
    ours, theirs = inputs.plane(values, umap=False), PCA(2).fit_transform(values)
    for i in range(2):
        assert abs(np.corrcoef(ours[:, i], theirs[:, i])[0, 1]) == pytest.approx(1, abs=1e-4)
    assert inputs.plane(values[:, :1], umap=False).shape == (120, 2)


@pytest.mark.slow
def test_umap_keeps_two_crowds_apart() -> None:
    pytest.importorskip("umap")
    points = inputs.plane(two_crowds(), umap=True)
    assert points.shape == (120, 2)
    first, second = points[:60], points[60:]
    apart = np.linalg.norm(first.mean(axis=0) - second.mean(axis=0))
    assert apart > 2 * max(first.std(axis=0).max(), second.std(axis=0).max())


def test_features_that_were_pickled_are_never_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "f.npz", sample_id=np.array(["a"], dtype=object), features=np.ones((1, 2)))
    with pytest.raises(BadOption, match="holds no features"):
        inputs.features(tmp_path / "f.npz")


def test_lists_of_different_lengths_are_no_features(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"sample_id": ["a", "b"], "features": [[1.0, 2.0], [1.0]]}), tmp_path / "f.parquet")
    with pytest.raises(BadOption, match="holds no features"):
        inputs.features(tmp_path / "f.parquet")
    pq.write_table(pa.table({"sample_id": ["a", "b"], "features": [[1.0, 2.0], [3.0, 4.0]]}), tmp_path / "g.parquet")
    ids, values = inputs.features(tmp_path / "g.parquet")
    assert (ids, values.tolist()) == (["a", "b"], [[1, 2], [3, 4]])


def test_predictions_and_features_are_shown(fo: Any, made: Path, tmp_path: Path) -> None:
    names = [f"made:{i:04}" for i in range(5)]
    predicted = pa.table({
        "sample_id": names, "predicted": ["fear", "anger", "fear", "anger", "anger"],
        "probabilities": [[0.9, 0.1]] * 4 + [[0.4, 0.6]],
    })  # fmt: skip
    pq.write_table(predicted, tmp_path / "predictions.parquet")
    vectors = np.random.default_rng(0).normal(size=(5, 16)).astype(np.float32)
    np.savez(tmp_path / "features.npz", sample_id=np.array(names), features=vectors)
    pushed = load(made, predictions=tmp_path / "predictions.parquet", features=tmp_path / "features.npz")
    found = shown(fo, made)
    first = found.match({"sample_id": "made:0000"}).first()
    assert (first.prediction.label, round(first.prediction.confidence, 3)) == ("fear", 0.9)
    assert pushed.findings["prediction disagrees"] == 2
    assert found.load_saved_view("Prediction disagrees").values("sample_id") == ["made:0000", "made:0004"]
    assert sorted(found.list_brain_runs()) == ["alike", "faces"]
    nearest = found.sort_by_similarity(first.id, brain_key="alike", k=5).values("sample_id")
    assert nearest[0] == "made:0000"
    assert found.load_brain_results("faces").points.shape == (5, 2)


@pytest.mark.parametrize("what", ["predictions", "features"])
def test_files_that_hold_something_else_are_told(fo: Any, made: Path, tmp_path: Path, what: str) -> None:
    with pytest.raises(BadOption, match="no file"):
        review(made, app=False, **{what: tmp_path / "none.parquet"})
    with pytest.raises(BadOption, match="holds no"):
        review(made, app=False, **{what: made})
    np.savez(tmp_path / "f.npz", sample_id=np.array(["made:0000"]), features=np.full((1, 4), np.nan))
    (tmp_path / "text.parquet").write_text("no")
    with pytest.raises(BadOption):
        review(made, app=False, **{what: tmp_path / ("f.npz" if what == "features" else "text.parquet")})
