import json
import shutil

import numpy as np
import pytest
from scipy import stats

from ferdata.errors import AlreadyExists, BadOption
from tests.zoo.evaluation.test_compare import answers as rows_of
from tests.zoo.evaluation.test_compare import mask
from zoo.evaluation import confidence
from zoo.experiments import answers
from zoo.experiments.ablation import (
    Cell,
    ablate,
    against,
    grid,
    interval_over_seeds,
    p_over_seeds,
    summary,
    without_idle,
)

SET = ("size=32", "batch=16", "device=cpu", "epochs=1")


def test_a_grid_has_a_cell_for_each_choice_the_first_values_first():
    cells = grid(["augment=none,light", "size=48,64"], {})
    assert [cell.name for cell in cells] == [
        *("augment=none, size=48", "augment=none, size=64"),
        *("augment=light, size=48", "augment=light, size=64"),
    ]
    assert cells[1].options == {"augment": "none", "size": 64}


def test_an_options_own_commas_are_kept_between_semicolons():
    cells = grid(["head_widths=512,256;128"], {})
    assert [cell.options["head_widths"] for cell in cells] == [(512, 256), (128,)]


@pytest.mark.parametrize(
    ("over", "why"),
    [
        (["augmnt=none,light"], "augment"),
        (["augment=none"], "does not vary"),
        (["augment=none,none"], "does not vary"),
        (["seed=1,2"], "set by ablate itself"),
        (["size=48,64", "size=32,96"], "given twice"),
        (["batch=8,16"], "given twice"),
        (["size=48,large"], "large"),
        ([], "nothing to vary"),
    ],
)
def test_what_cannot_be_varied_is_refused(over, why):
    with pytest.raises(BadOption) as refused:
        grid(over, {"batch": 16})
    assert why in str(refused.value)


def test_policies_of_ones_own_and_single_ranges_can_be_varied(tmp_path):
    (tmp_path / "mine.toml").write_text("rotation = 20\n")
    cells = grid([f"augment=none,{tmp_path / 'mine.toml'}", "zoom=0.1,0.2"], {})
    assert [cell.options["scale"] for cell in cells] == [(0.9, 1.1), (0.8, 1.2)] * 2
    assert cells[-1].name.endswith("mine.toml, zoom=0.2")
    with pytest.raises(BadOption, match="given twice"):
        grid(["zoom=0.1,0.2"], {"scale": (0.9, 1.1)})
    given = [{"augment": name, "erase_area": (0.1, 0.2)} for name in ("none", "strong")]
    assert without_idle(given, "default") == [{"augment": "none"}, given[1]]
    with pytest.raises(BadOption, match="erase_area"):
        without_idle(given[:1], "default")


def test_an_option_goes_to_the_cells_in_which_it_does_something():
    cells = [{"loss": "cross_entropy", "focal_gamma": 3.0}, {"loss": "focal", "focal_gamma": 3.0}]
    assert without_idle(cells, "default") == [{"loss": "cross_entropy"}, cells[1]]


@pytest.mark.parametrize(
    ("cells", "named"),
    [
        ([{"focal_gamma": 1.0}, {"focal_gamma": 2.0}], "focal_gamma"),
        (
            [{"augment": "none", "min_lr": 0.1, "schedule": "constant"}, {"min_lr": 0.1, "schedule": "constant"}],
            "min_lr",
        ),
        ([{"patience": 0, "select": "last"}, {"patience": 5, "select": "last"}], "patience"),
    ],
)
def test_an_option_that_does_nothing_in_any_cell_is_refused(cells, named):
    with pytest.raises(BadOption, match=named):
        without_idle(cells, "default")


def test_ablate_refuses_before_it_trains(tmp_path):
    with pytest.raises(BadOption, match=r"plateau_factor=\.\.\. needs --schedule plateau"):
        ablate(tmp_path / "none.parquet", ["plateau_factor=0.1,0.5"], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def made(accuracies, n=3000, seeds=3):
    """Runs whose test answers are right as often as is asked for, the same images hard for all."""
    cells, runs, scored = [Cell(f"x={i}", {"x": i}) for i in range(len(accuracies))], {}, {}
    for cell, shares in zip(cells, accuracies, strict=True):
        runs[cell.name], scored[cell.name] = [], []
        for seed, share in enumerate(shares):
            scored[cell.name].append(rows_of(mask(n, range(round(n * (1 - share))))))
            figures = dict.fromkeys(("accuracy", "balanced_accuracy", "macro_f1"), share)
            runs[cell.name].append({"run": f"{cell.name}/{seed}", "seed": seed, "val": figures, **figures, "leak": 0})
    return summary(cells, runs, scored, "accuracy")


def test_seeds_that_scatter_as_much_as_the_cells_show_no_difference():
    told = made([(0.850, 0.846, 0.853), (0.852, 0.855, 0.847), (0.849, 0.850, 0.848)])
    assert not any(row["against_first"]["real"] for row in told["cells"][1:])
    assert told["answer"].startswith("No difference that three seeds can show: the largest difference")
    assert told["best_on_val"] == "x=1"


def test_a_difference_far_beyond_the_seeds_is_told_with_its_size():
    told = made([(0.800, 0.802, 0.798), (0.841, 0.842, 0.839), (0.799, 0.801, 0.800)])
    assert [row["against_first"]["real"] for row in told["cells"][1:]] == [True, False]
    assert "x=1 is better than x=0 by 4.07 points of test accuracy" in told["answer"]
    assert "of x=2 three seeds show no difference" in told["answer"]


def test_three_images_more_on_the_mean_of_seeds_are_still_the_luck_of_the_images():
    told = made([(0.90, 0.91, 0.92), (0.92, 0.95, 0.95)], n=100)
    found = told["cells"][1]["against_first"]
    assert found["p_seeds"] < 0.05 < found["p_images"]
    assert not found["real"]


@pytest.mark.parametrize(("seeds", "p"), [(2, 0.5), (3, 0.25), (5, 0.0625)])
def test_equal_differences_of_few_seeds_are_too_few_to_tell(seeds, p):
    told = made([(0.80,) * seeds, (0.84,) * seeds], seeds=seeds)
    found = told["cells"][1]["against_first"]
    assert found["p_seeds"] == pytest.approx(p)  # every sign alike: 2 of the 2^seeds
    assert found["over_seeds"] is None
    assert told["cells"][1]["accuracy"]["interval"] is None
    assert not found["real"]
    assert told["answer"].startswith("Too few seeds to tell: x=1 over x=0 is +4.00 points")
    assert "give --seeds 6 or more" in told["answer"]


def test_equal_differences_of_enough_seeds_are_a_difference():
    told = made([(0.80,) * 6, (0.84,) * 6], seeds=6)
    found = told["cells"][1]["against_first"]
    assert found["p_seeds"] == pytest.approx(2 / 2**6)
    assert found["over_seeds"] == pytest.approx([0.04, 0.04])
    assert found["real"]


def test_differences_an_image_apart_are_equal_and_two_apart_are_not():
    assert p_over_seeds([0.310, 0.320, 0.310], 100) == pytest.approx(0.25)
    assert interval_over_seeds([0.310, 0.320, 0.310], 100) is None
    gains = [0.30, 0.32, 0.31]
    assert p_over_seeds(gains, 100) == pytest.approx(stats.ttest_rel(gains, [0, 0, 0]).pvalue)
    assert interval_over_seeds(gains, 100) == confidence.student(gains)[1]


def test_no_difference_on_any_seed_has_the_largest_p():
    assert p_over_seeds([0.0, 0.0, 0.0], 100) == 1
    assert p_over_seeds([0.0, 0.0, 0.01], 100) == 1
    assert p_over_seeds([0.3], 100) == 1


def test_more_cells_ask_for_more_seeds():
    """By Holm's rule the least p is multiplied by the number of comparisons."""
    for comparisons in (1, 2, 5, 20):
        seeds = answers.enough(comparisons)
        assert comparisons * 2 / 2**seeds < 0.05 <= comparisons * 2 / 2 ** (seeds - 1)


def test_two_seeds_have_no_interval_and_say_so():
    told = made([(0.80, 0.81), (0.84, 0.90)], seeds=2)
    found = told["cells"][1]["against_first"]
    assert (found["over_seeds"], told["cells"][1]["accuracy"]["interval"], found["real"]) == (None, None, False)
    assert told["answer"].endswith("is +6.50 points; two seeds give no interval: --seeds 3 or more do.")
    assert answers.plus_minus(told) == "No interval over seeds: that takes 3 or more."
    assert not any("±" in cell for line in answers.table(told) for cell in line)


def test_equal_answers_of_every_seed_have_no_interval_and_no_difference():
    told = made([(0.80, 0.82, 0.81), (0.80, 0.82, 0.81)])
    found = told["cells"][1]["against_first"]
    assert (found["over_seeds"], found["over_images"], answers.outer(found)) == (None, None, None)
    assert "is +0.00 points, on each seed and whichever of the test images are drawn: no interval." in told["answer"]
    assert not any("to +0.00" in cell for line in answers.table(told) for cell in line)


def test_one_seed_never_decides():
    told = made([(0.5,), (0.9,)], seeds=1)
    assert told["answer"].startswith("One seed cannot tell")
    assert not told["cells"][1]["against_first"]["real"]


def test_a_run_that_had_far_less_time_is_named():
    runs = [{"run": f"r{i}", "epochs": epochs} for i, epochs in enumerate((9.0, 10.0, 3.0, 11.0))]
    assert "r2 had 3.0 epochs where the median run had 9.5" in answers.uneven(runs)
    assert answers.uneven(runs[:2]) is None


def test_the_wider_interval_is_the_one_that_is_told():
    found = {"over_seeds": [-0.01, 0.02], "over_images": [-0.03, 0.01]}
    assert answers.outer(found) == (-0.03, 0.02)


def test_a_difference_of_means_over_seeds_is_bootstrapped_on_the_same_images():
    a, b = rows_of(mask(1000, range(100))), rows_of(mask(1000, range(60)))
    runs = [{"accuracy": 0.9}, {"accuracy": 0.9}], [{"accuracy": 0.94}, {"accuracy": 0.94}]
    found = against(*runs, [a, a], [b, b], "accuracy")
    assert found["difference"] == pytest.approx(0.04)
    half = 1.96 * np.sqrt(0.04 * 0.96 / 1000)
    assert found["over_images"] == pytest.approx([0.04 - half, 0.04 + half], abs=0.002)


@pytest.fixture(scope="module")
def ablated(tmp_path_factory, manifest_path):
    out = tmp_path_factory.mktemp("ablation") / "a"
    return ablate(manifest_path, ["augment=none,light"], seeds=2, options=SET, out=out)


def test_every_cell_is_trained_with_every_seed_and_all_is_written(ablated):
    for cell in ("augment=none", "augment=light"):
        for seed in (0, 1):
            assert (ablated.path / cell / f"seed-{seed}" / "report.json").is_file()
    told = json.loads((ablated.path / "ablation.json").read_text())
    assert told["answer"] == ablated.report["answer"]
    assert [len(row["runs"]) for row in told["cells"]] == [2, 2]
    assert (ablated.path / "ablation.png").read_bytes()[:4] == b"\x89PNG"
    assert not (ablated.path / "ablation.pdf").exists()
    text = (ablated.path / "ablation.md").read_text()
    assert text.startswith(f"**{told['answer']}**")
    assert "| augment=none" in text


def test_a_lost_run_is_trained_again_and_more_seeds_are_added_to_those_there(ablated, manifest_path):
    shutil.rmtree(ablated.path / "augment=light" / "seed-1")
    said = []
    again = ablate(manifest_path, ["augment=none,light"], 2, options=SET, out=ablated.path, say=said.append)
    assert sum(", kept: " in line for line in said) == 3
    assert again.report["cells"][1]["accuracy"] == ablated.report["cells"][1]["accuracy"]
    with pytest.raises(AlreadyExists, match="other options: epochs"):
        ablate(manifest_path, ["augment=none,light"], 2, options=(*SET[:3], "epochs=2"), out=ablated.path)


def test_the_command_prints_the_answer_last(ablated, manifest_path, ferdata):
    options = [word for pair in SET for word in ("--set", pair)]
    ran = ferdata(
        *("ablate", "--manifest", manifest_path, "--over", "augment=none,light", "--seeds", 2),
        *("-o", ablated.path, *options, "--plots", "pdf"),
    )
    assert ran.code == 0, ran
    assert ran.out.splitlines()[-1] == ablated.report["answer"]
    assert "4 trainings" in ran.out
    assert (ablated.path / "ablation.pdf").read_bytes()[:4] == b"%PDF"
    assert str(ablated.path / "ablation.pdf") in ran.out
