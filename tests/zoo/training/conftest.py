"""Voted faces with rare classes, and first weights, for the tests that work out by hand what a step must come to."""

from pathlib import Path

import pytest

from tests.zoo.voted import first_run, train_faces, write_faces
from zoo.training.state import Run, RunContext, TrainState


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a manifest of sixty voted faces to learn from, and eight each to choose on and to test."""
    return write_faces(tmp_path_factory.mktemp("voted") / "faces.parquet", train_faces())


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run to begin from, whose answers differ from face to face."""
    return first_run(tmp_path_factory.mktemp("first") / "run")


@pytest.fixture(scope="session")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run to begin from, to whose net every class is as likely as the next."""
    return first_run(tmp_path_factory.mktemp("blank") / "run", blank=True)


@pytest.fixture
def without_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a run end with its last epoch: weights and history are there, and the report would take ten times as long."""

    def end(context: RunContext, state: TrainState) -> Run:
        return Run(context.folder.path, {})

    monkeypatch.setattr("zoo.training.loop.finish", end)
