"""A run of ours as a file of others: exported, and adopted with cards that are right or wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto

from ferdata.manifest import Manifest
from tests.zoo.strangers import changed
from zoo.data.rows import read_rows
from zoo.deploy.adopt import adopt
from zoo.deploy.onnx_export import export
from zoo.evaluation.reading_check.check import ReadingCheck, check
from zoo.models.load import load_model

Checked = Callable[..., ReadingCheck]


@pytest.fixture(scope="session")
def shapes_file(trained: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an ONNX file that tells the four shapes apart; it takes grey pixels as numbers of any kind, 0..255."""
    file = Path(export(trained.path, tmp_path_factory.mktemp("file") / "shapes.onnx", tta="none").out)
    return changed(file, lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", TensorProto.FLOAT))


@pytest.fixture
def checked(shapes_file: Path, manifest_path: Path, tmp_path: Path) -> Checked:
    """Return a function that adopts the file, with what is said, and checks its reading."""

    def run(manifest: Path = manifest_path, seed: int = 0, file: Path = shapes_file, **said: Any) -> ReadingCheck:
        net, meta = load_model(adopt(file, tmp_path / "run", force=True, **said).out / "model.safetensors")
        return check(net, meta, read_rows(Manifest(manifest)), seed=seed, draws=500)

    return run
