"""What a run weighs is counted, not guessed; terms are those that its report, or its card, names."""

import sys

import pytest

from tests.zoo.evaluation.league.conftest import THREE, bright
from zoo.evaluation.league import cost
from zoo.models.load import load_model
from zoo.run.run_folder import Folder


def opened(path):
    return load_model(Folder(path).model)


def test_a_run_of_ours_has_its_own_parameters_and_file(trained):
    net, meta = opened(trained.path)
    assert cost.parameters(trained.path, net, meta) == trained.report["parameters"]
    assert cost.size(trained.path, meta) == (trained.path / "model.safetensors").stat().st_size


def test_an_onnx_file_has_the_weights_that_lie_in_it_and_its_own_size(adopted, monkeypatch):
    net, meta = opened(adopted)
    assert cost.parameters(adopted, net, meta) == 2 * len(THREE)
    assert cost.size(adopted, meta) == (adopted.parent / "bright.onnx").stat().st_size
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert cost.parameters(adopted, net, meta) is None  # nothing is guessed without the package


def test_shapes_are_no_parameters_and_constants_are(tmp_path):
    import numpy as np
    from onnx import helper, load, numpy_helper, save

    from zoo.deploy.adopt import adopt

    model = load(bright(tmp_path / "more.onnx"))
    model.graph.initializer.append(numpy_helper.from_array(np.array([-1, 3], np.int64), "shape"))
    value = numpy_helper.from_array(np.zeros(3, np.float32))
    model.graph.node.insert(0, helper.make_node("Constant", [], ["nought"], value=value))
    model.graph.node[-1].input[0] = "sum"
    model.graph.node.insert(4, helper.make_node("Add", ["logits", "nought"], ["sum"]))
    save(model, tmp_path / "more.onnx")
    run = adopt(tmp_path / "more.onnx", tmp_path / "more", classes=THREE, pixels=(0, 1)).out
    assert cost.parameters(run, *opened(run)) == 2 * len(THREE) + 3


def test_terms_are_those_of_what_was_learnt_from_or_not_known(trained, adopted):
    assert cost.terms(trained.path, opened(trained.path)[1]) == "Made for a test: none"
    assert cost.terms(adopted, opened(adopted)[1]).startswith("not told")
    assert cost.terms(adopted, None) == "not known"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"title": "The set", "licence": "CC BY 4.0", "commercial": True}, "The set: CC BY 4.0"),
        (
            {"title": "The set", "licence": None, "commercial": False, "redistribution": False},
            "The set: not known (redistribution not allowed, commercial use not allowed)",
        ),
    ],
)
def test_what_a_licence_does_not_allow_is_said(tmp_path, trained, source, words):
    import json
    from dataclasses import replace

    (tmp_path / "report.json").write_text(json.dumps({"sources": {"set": source}}))
    _, meta = opened(trained.path)
    assert cost.terms(tmp_path, meta) == words
    began = replace(meta, origin={"weights": "face.bin", "terms": "research only"})
    assert cost.terms(tmp_path, began) == f"{words}; first weights face.bin: research only"
    (tmp_path / "report.json").unlink()
    assert cost.terms(tmp_path, began) == "not known, since it has no report; first weights face.bin: research only"
