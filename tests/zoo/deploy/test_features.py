"""What a net makes of images, for the comparison of datasets: the same as training's own features, and named."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ferdata import images
from ferdata.errors import BrokenRun
from ferdata.manifest import Manifest
from tests.conftest import Ran
from zoo.data.rows import load, read_rows
from zoo.deploy.features import features
from zoo.evaluation import inference
from zoo.models.load import load_model
from zoo.run.run_folder import Folder
from zoo.training.state import Run


def test_features_are_those_of_the_rows_as_training_packs_them(trained: Run) -> None:
    seen = features(trained.path)
    folder = Folder(trained.path)
    net, meta = load_model(folder.model)
    rows = read_rows(Manifest(folder.absolute(meta.manifest)), None, None, "majority")
    test = load(rows, {"test": rows.where("test")}, meta.size, meta.channels)["test"]
    expected = inference.features(net, test.pixels, meta.mean, meta.std)
    (batch,) = rows.manifest.batches(["image"], rows=rows.manifest.rows)
    stored = [image["bytes"] for image in batch.column("image").take(test.where).to_pylist()]
    made = seen([images.as_uint8(images.decode(data)) for data in stored])
    np.testing.assert_allclose(made, expected, atol=1e-5)
    assert meta.backbone in seen.name
    assert "run first" in seen.name


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(BrokenRun, match="nowhere"):
        features(tmp_path / "nowhere")


def test_datasets_are_compared_by_a_nets_features(trained: Run, ferdata: Callable[..., Ran], tmp_path: Path) -> None:
    from tests.zoo.conftest import shape_rows, write_shapes

    manifest = write_shapes(tmp_path / "a.parquet", [r | {"dataset": "a"} for r in shape_rows()[:60]])
    other = write_shapes(tmp_path / "b.parquet", [r | {"dataset": "b"} for r in shape_rows()[60:120]])
    ran = ferdata("datasets", "compare", manifest, other, "--net", trained.path)
    assert ran.code == 0, ran
    assert "features of" in ran.out
    assert ferdata("datasets", "compare", manifest, other, "--device", "cpu").code == 2
