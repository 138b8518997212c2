"""What a net makes of images, for the comparison of datasets: the same as training's own features, and named."""

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
from zoo.training.train import Run


def test_features_are_those_of_the_rows_as_training_packs_them(a_run: Run) -> None:
    seen = features(a_run.folder)
    net, meta = load_model(a_run.folder / "model.safetensors")
    rows = read_rows(Manifest(meta.manifest), None, None, "hard")
    test = load(rows, {"test": rows.where("test")}, meta.size, meta.channels)["test"]
    expected = inference.features(net, test.pixels, meta.mean, meta.std)
    roots = rows.manifest.roots()
    columns = rows.manifest.table("dataset").to_pylist()
    encoded = [
        rows.manifest.read_image(columns[at] | {"image": image}, roots)
        for at, image in zip(test.where, _stored(rows.manifest, test.where), strict=True)
    ]
    made = seen([images.as_uint8(images.decode(data)) for data in encoded])
    np.testing.assert_allclose(made, expected, atol=1e-5)
    assert meta.backbone in seen.name
    assert Path(meta.manifest).name in seen.name


def _stored(manifest: Manifest, where: np.ndarray) -> list[dict]:
    (batch,) = manifest.batches(["image"], rows=manifest.rows)
    return batch.column("image").take(where).to_pylist()


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(BrokenRun, match="nowhere"):
        features(tmp_path / "nowhere")


def test_datasets_are_compared_by_a_nets_features(a_run: Run, ferdata: object, tmp_path: Path) -> None:
    from tests.zoo.conftest import shape_rows, write_shapes

    manifest = write_shapes(tmp_path / "a.parquet", [r | {"dataset": "a"} for r in shape_rows()[:60]])
    other = write_shapes(tmp_path / "b.parquet", [r | {"dataset": "b"} for r in shape_rows()[60:120]])
    ran: Ran = ferdata("datasets", "compare", manifest, other, "--net", a_run.folder)  # type: ignore[operator]
    assert ran.code == 0, ran
    assert "features of" in ran.out
    assert ferdata("datasets", "compare", manifest, other, "--device", "cpu").code == 2  # type: ignore[operator]
