import json
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy import stats

from ferdata.errors import BadOption, BrokenRun
from ferdata.labels import TAXONOMIES
from zoo.evaluation.compare import compare, gained, paired
from zoo.evaluation.paired_tests import exact_mcnemar, sign_flips
from zoo.evaluation.predictions import Predictions, save

CLASSES = TAXONOMIES["fer3"].classes


def answers(right, clusters=None, true=None, classes=CLASSES, **facts):
    """Predictions that are right where `right` says so, and else one class further."""
    right = np.asarray(right, bool)
    n = len(right)
    true = np.arange(n) % 3 if true is None else np.asarray(true)
    p = np.full((n, 3), 0.1, np.float32)
    p[np.arange(n), np.where(right, true, (true + 1) % 3)] = 0.8
    ids = np.array([f"made:{i:05}" for i in range(n)])
    clusters = np.arange(n) if clusters is None else np.asarray(clusters)
    split, dataset = np.full(n, "test"), np.full(n, "made")
    return Predictions(ids, dataset, split, true, p, clusters, classes, {"fingerprint": "f", **facts})


def report_of(**leak):
    protocol = {"leak_check": {"test_in_train": 0, "val_in_train": 0, **leak}, "selection": "the best val accuracy"}
    return {"backbone": "resnet_fer", "parameters": 1_200_000, "protocol": protocol}


@pytest.fixture
def run(tmp_path):
    def make(name, rows, report=None):
        (tmp_path / name).mkdir()
        save(tmp_path / name / "predictions.parquet", rows)
        (tmp_path / name / "report.json").write_text(json.dumps(report or report_of()))
        return tmp_path / name

    return make


def mask(n, wrong):
    return ~np.isin(np.arange(n), list(wrong))


def test_mcnemar_is_the_exact_binomial_by_hand():
    assert exact_mcnemar(1, 9) == pytest.approx(2 * (1 + 10) / 2**10)  # 0.0215
    assert exact_mcnemar(5, 5) == 1
    assert exact_mcnemar(0, 0) == 1
    assert exact_mcnemar(300, 380) == pytest.approx(stats.binomtest(300, 680).pvalue)


def test_sign_flips_of_single_images_are_mcnemars_test():
    gain = gained(answers(mask(200, range(20))), answers(mask(200, range(15, 23))))
    assert (int((gain < 0).sum()), int((gain > 0).sum())) == (3, 15)
    assert sign_flips(gain, np.arange(200)) == pytest.approx(exact_mcnemar(3, 15), abs=0.003)
    assert sign_flips(gain * 0, np.arange(200)) == 1


def test_forty_images_of_two_people_are_two_and_not_forty():
    gain = np.repeat([1, 0], [40, 360])
    assert sign_flips(gain, np.arange(400)) < 0.001
    assert sign_flips(gain, np.arange(400) // 20) == pytest.approx(0.5, abs=0.03)


def test_the_paired_bootstrap_is_that_of_the_difference():
    a, b = answers(mask(1000, range(150))), answers(mask(1000, range(100, 200)))
    gain, drawn = paired([a], [b], "accuracy", 4000)
    assert gain == pytest.approx(0.05)
    # 100 are won and 50 lost: the variance of a difference is that of +1, 0, -1.
    assert drawn.std() == pytest.approx(np.sqrt((0.15 - 0.05**2) / 1000), rel=0.05)
    assert paired([a], [a], "macro_f1", 50)[1].tolist() == [0.0] * 50


def test_a_small_gain_is_not_called_real_and_a_large_one_is(run):
    base = run("base", answers(mask(3137, range(500))))
    little = run("little", answers(mask(3137, range(40, 528))))  # +0.4 points
    much = run("much", answers(mask(3137, range(350))))
    told = compare([base, little])
    assert told["pairs"][0]["difference"] == pytest.approx(12 / 3137)
    assert not told["pairs"][0]["real"]
    assert told["answer"].startswith("No: +0.38 points of accuracy")
    told = compare([base, much])
    assert told["pairs"][0]["real"]
    assert told["answer"].startswith("Yes: ")
    assert "better" in told["answer"]
    assert compare([much, base])["answer"].split(" than ")[0].endswith("worse")


def test_with_three_runs_the_p_values_are_holms(run):
    sets = [range(100), range(22, 105), range(10, 85)]
    told = compare([run(f"r{i}", answers(mask(1000, wrong))) for i, wrong in enumerate(sets)])
    plain = [pair["p"] for pair in told["pairs"]]
    assert told["correction"] == "holm"
    ranked = sorted(zip(plain, (pair["p_corrected"] for pair in told["pairs"]), strict=True))
    assert ranked[0][1] == pytest.approx(min(1, 3 * ranked[0][0]))
    assert all(a <= b for (_, a), (_, b) in pairwise(ranked))


def test_images_of_one_person_are_tested_as_one(run):
    clusters = np.arange(400) // 20
    a = run("a", answers(mask(400, range(40)), clusters))
    b = run("b", answers(mask(400, ()), clusters))
    pair = compare([a, b])["pairs"][0]
    assert pair["test"] == "sign flips of groups"
    assert pair["mcnemar_p"] < 0.001
    assert not pair["real"]


def test_equal_answers_have_no_interval_and_no_difference(run, ferdata):
    rows = answers(mask(300, range(60)))
    a, b = run("a", rows), run("b", rows)
    told = compare([a, b])
    assert told["pairs"][0]["interval"] is None
    assert not told["pairs"][0]["real"]
    assert told["answer"].endswith("have equal accuracy, whichever of these 300 images are drawn: no interval.")
    assert "+0.00 to +0.00" not in ferdata("compare", a, b).out


def test_another_figure_is_decided_by_the_bootstrap(run):
    a, b = run("a", answers(mask(900, range(200)))), run("b", answers(mask(900, range(60))))
    told = compare([a, b], by="macro_f1")
    assert told["pairs"][0]["test"] == "bootstrap"
    assert told["pairs"][0]["real"]
    assert "macro-F1" in told["answer"]


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
def test_the_differences_are_drawn_with_their_intervals_about_nothing(run, ferdata, tmp_path, monkeypatch, form):
    drawn = []
    whole = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda figure, *a, **more: drawn.append(figure) or whole(figure, *a, **more))
    rows = answers(mask(900, range(200)))
    made = [run("a", rows), run("b", answers(mask(900, range(60)))), run("c", rows)]
    told = compare(made, plot=tmp_path / f"d.{form}")
    assert (tmp_path / f"d.{form}").is_file()
    (axes,) = drawn[0].axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b - a", "c - a", "c - b"]
    zero, *lines = axes.lines
    assert set(zero.get_xdata()) == {0}
    ends = [list(line.get_xdata() / 100) for line in lines if line.get_marker() == "|"]
    assert ends == [pytest.approx(pair["interval"]) for pair in told["pairs"] if pair["interval"]]
    assert [text.get_text() for text in axes.texts] == ["+15.56", "+0.00, no interval", "-15.56"]
    assert drawn[0].get_suptitle() == "Runs in pairs: test, n = 900"
    assert ferdata("compare", *made, "--plot", "d.txt").code == 1


def test_different_rows_are_refused_by_name_and_may_be_cut_to_the_shared_ones(run):
    a = run("a", answers(mask(300, range(30))))
    b = run("b", answers(mask(300, range(30))).at(np.arange(299)[::-1]))
    with pytest.raises(BadOption, match=r"different rows.*300.*299; 299 are the same. made:00299") as refused:
        compare([a, b])
    assert "--shared" in refused.value.hint
    told = compare([a, b], shared=True)
    assert told["n"] == 299
    assert told["pairs"][0]["difference"] == 0  # though stored in another order


def test_other_classes_other_targets_and_one_run_are_refused(run):
    a = run("a", answers(mask(300, ())))
    with pytest.raises(BadOption, match="classes of"):
        compare([a, run("order", answers(mask(300, ()), classes=CLASSES[::-1]))])
    with pytest.raises(BadOption, match="300 of the 300 rows have another target"):
        compare([a, run("moved", answers(mask(300, ()), true=(np.arange(300) + 1) % 3))])
    with pytest.raises(BadOption, match="not enough"):
        compare([a])
    with pytest.raises(BadOption, match="no predictions of val; it has test"):
        compare([a, a], split="val")


def test_a_run_whose_test_leaked_or_was_chosen_otherwise_is_marked(run):
    a = run("a", answers(mask(300, range(60))))
    leaky = run("leaky", answers(mask(300, ())), report_of(test_in_train=17))
    told = compare([a, leaky])
    assert told["runs"][1]["marks"] == ["LEAK: 17 test images have duplicates in train"]
    assert "settles nothing" in told["answer"]
    hopeless = run(
        "hopeless", answers(mask(300, range(200))), {**report_of(val_in_train=5), "caution": "It knows nothing."}
    )
    told = compare([a, hopeless])
    assert told["runs"][0]["marks"] == []
    assert told["runs"][1]["marks"] == [
        "5 val images have duplicates in train",
        "not shown to be better than the majority-class baseline",
    ]
    assert "settles nothing" not in told["answer"]
    other = report_of()
    other["protocol"]["selection"] = "the best val macro_f1"
    told = compare([a, run("other", answers(mask(300, ()), manifest="m", fingerprint="g"), other)])
    assert any("chosen by the best val macro_f1" in mark for mark in told["runs"][1]["marks"])
    assert any("another manifest (g)" in mark for mark in told["runs"][1]["marks"])


def test_a_file_of_predictions_is_compared_too_and_a_missing_or_foreign_one_is_said(run, tmp_path):
    a = run("a", answers(mask(300, range(60))))
    save(tmp_path / "b.parquet", answers(mask(300, ())))
    told = compare([a, tmp_path / "b.parquet"])
    assert told["pairs"][0]["real"]
    assert "no report" in told["runs"][1]["marks"][0]
    with pytest.raises(BrokenRun, match="There is no"):
        compare([a, tmp_path / "nowhere"])
    (tmp_path / "c.parquet").write_bytes(b"PAR1 and nothing of it")
    with pytest.raises(BrokenRun, match="holds no predictions"):
        compare([a, tmp_path / "c.parquet"])


def test_the_command_prints_the_answer_last(run, ferdata):
    a, b = run("a", answers(mask(300, range(60)))), run("b", answers(mask(300, ())))
    ran = ferdata("compare", a, b)
    assert ran.code == 0, ran
    assert ran.out.splitlines()[-1].startswith("Yes: ")
    assert json.loads(ferdata("compare", a, b, "--json").out)["pairs"][0]["real"] is True
