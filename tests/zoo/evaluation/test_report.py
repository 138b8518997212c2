"""What a run leaves of itself: charts in every format asked for, and how long it was trained in whole epochs."""

import csv
import json
import shutil

import pytest

from ferdata.errors import BadOption
from tests.zoo.conftest import QUICK
from zoo.evaluation import report
from zoo.run.run_folder import CHARTS, Folder
from zoo.training.train import train


@pytest.fixture(scope="module")
def short(manifest_path, tmp_path_factory):
    """A run of one epoch whose last batch is short, with its charts as SVG too."""
    options = {**QUICK, "epochs": 1, "batch": 48}  # of 128 images
    return train(manifest_path, tmp_path_factory.mktemp("short") / "run", plots=("svg",), **options)


def test_charts_are_written_beside_png_in_the_formats_asked_for(short):
    for form in ("png", "svg"):
        assert {path.stem for path in short.path.glob(f"*.{form}")} == set(CHARTS)
    assert not list(short.path.glob("*.pdf"))


def test_an_epoch_that_leaves_a_short_batch_out_is_whole(short):
    assert short.report["training"]["epochs"] == 1
    assert "- Trained for 1 epoch on 128 images" in (short.path / "card.md").read_text()


def test_a_run_of_an_earlier_ferdata_is_drawn_without_what_it_does_not_know(short, tmp_path):
    run = shutil.copytree(short.path, tmp_path / "old")
    told = json.loads((run / "report.json").read_text())
    del told["roc"]
    (run / "report.json").write_text(json.dumps(told))
    rows = list(csv.reader((run / "history.csv").read_text().splitlines()))
    kept = [i for i, name in enumerate(rows[0]) if not name.startswith(("val_precision_", "val_recall_"))]
    (run / "history.csv").write_text("".join(",".join(row[i] for i in kept) + "\n" for row in rows))
    assert {path.name for path in report.draw(run, ("pdf",))} == {f"{name}.pdf" for name in CHARTS if name != "roc"}


def test_a_new_run_takes_no_chart_of_an_earlier_one_for_its_own(short):
    Folder(short.path).clear()
    assert not [path for path in short.path.iterdir() if path.suffix in (".png", ".svg")]


def test_a_format_that_there_is_not_is_refused_before_training(manifest_path, tmp_path):
    with pytest.raises(BadOption, match="'gif'"):
        train(manifest_path, tmp_path / "run", plots=("gif",), **QUICK)
    assert not (tmp_path / "run").exists()
