"""What a model said, as files; and features laid out in the plane."""

from pathlib import Path

import numpy as np
import pytest

from ferdata.errors import BadOption
from ferdata.reviewing.fiftyone import inputs


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
