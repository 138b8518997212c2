"""What a device has learnt says the same on the processor, from its files and as an exported graph."""

import numpy as np
import pytest

from ferdata.images import encode_png
from tests.zoo.conftest import QUICK, shape
from tests.zoo.devices import each_device
from zoo.deploy.onnx_export import export
from zoo.deploy.predict import predict
from zoo.evaluation.evaluate import evaluate
from zoo.training.train import train


@each_device
def test_a_run_of_a_device_is_scored_predicted_and_exported_alike_everywhere(manifest_path, tmp_path, device):
    run = train(manifest_path, tmp_path / "run", **{**QUICK, "device": device})
    there, here = (evaluate(run.path, device=where) for where in (device, "cpu"))
    assert there["accuracy"] == run.report["accuracy"]
    assert there["log_loss"] == pytest.approx(run.report["log_loss"], abs=1e-4)
    assert here["log_loss"] == pytest.approx(there["log_loss"], abs=1e-3)
    paths = [tmp_path / f"{i}.png" for i in range(5)]
    for i, path in enumerate(paths):
        path.write_bytes(encode_png(shape("anger", 700 + i)))
    told = [
        np.array([list(p.probabilities.values()) for p in predict(run.path, paths, device=where)])
        for where in (device, "cpu")
    ]
    assert np.abs(told[0] - told[1]).max() < 1e-3
    for library in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(library)
    assert export(run.path, tmp_path / "model.onnx", faces=40).parity["most"] < 1e-4
