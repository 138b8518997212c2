"""What is said of a run where it is used: its report's figures, or that there are none."""

import json

from zoo.deploy.record import record
from zoo.run.model_file import read_meta
from zoo.run.run_folder import Folder


def test_a_run_says_what_it_was_trained_on_and_how_often_it_is_right(trained):
    folder = Folder(trained.path)
    low, high = (f"{100 * end:.1f}%" for end in trained.report["confidence_intervals"]["accuracy"])
    assert record(folder, read_meta(folder.model)) == (
        f"Trained on 128 images of Made for a test. Test accuracy {100 * trained.report['accuracy']:.1f}% "
        f"(95% interval {low} to {high}) on 48 images."
    )


def test_many_datasets_are_counted(trained, tmp_path):
    sources = {name: {"title": name.upper()} for name in "abcd"}
    report = {**trained.report, "sources": sources}
    Folder(tmp_path).report.write_text(json.dumps(report))
    meta = read_meta(Folder(trained.path).model)
    assert "images of 4 datasets." in record(Folder(tmp_path), meta)
    del sources["d"]
    Folder(tmp_path).report.write_text(json.dumps(report))
    assert "images of A, B, C." in record(Folder(tmp_path), meta)


def test_a_run_without_a_report_claims_nothing(run):
    meta = read_meta(Folder(run).model)
    unknown = "Trained on gone.parquet. Test accuracy unknown: the run has no report.json that can be read."
    assert record(Folder(run), meta) == unknown
    for damaged in ("", "[]", '{"accuracy": 1.0}', '{"confidence_intervals": {"accuracy": null}}'):
        Folder(run).report.write_text(damaged)
        assert record(Folder(run), meta) == unknown, damaged
    Folder(run).report.unlink()
