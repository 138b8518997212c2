from pathlib import Path

import cv2
import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from ferdata.charts.style import SEQUENTIAL, STRONG
from ferdata.labels import COLOURS, TAXONOMIES
from zoo.evaluation.charts import confusion, curves, name_of, per_class, reliability, roc, spread, title
from zoo.evaluation.metrics import bins, score

BASIC8 = TAXONOMIES["basic8"]
RUN = Path("runs/first")


def picture(png):
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)


def share_of(png, colour):
    """The share of a picture that has a colour such as #e69f00."""
    blue, green, red = (int(colour[i : i + 2], 16) for i in (5, 3, 1))
    return float((np.abs(picture(png).astype(int) - (blue, green, red)).max(2) <= 2).mean())


@pytest.fixture
def report():
    """Of basic8, with classes that have no image, and one that is never right."""
    p = np.full((400, 8), 0.05, np.float32)
    true = np.arange(400) % 4
    p[np.arange(400), np.where(np.arange(400) % 5, true % 3, 7)] = 0.65
    told = score(p, true, BASIC8.classes, draws=50)
    told["protocol"] = {"split": "test"}
    told["calibration"] = {
        **{"temperature": 1.0, "before": {"ece": 0.1}, "after": {"ece": 0.1}, "reliability": bins(p, true).tolist()}
    }
    return told


def test_curves_are_drawn_even_of_one_epoch():
    row = {
        **{"epoch": 1, "train_loss": 1.0, "val_loss": 1.2, "train_accuracy": 0.5, "val_accuracy": 0.4},
        **{"val_macro_f1": 0.3, "lr": 0.1},
    }
    assert picture(curves([row], 1, "first")).shape[1] > 800


def test_the_confusion_matrix_is_drawn_with_a_class_that_has_no_image(report):
    assert picture(confusion(report, RUN)).shape[0] > 400


def test_bars_have_the_colours_of_their_emotions_and_none_where_nothing_was_found(report):
    png = per_class(report, BASIC8.as_dict(), RUN)
    assert share_of(png, COLOURS["happiness"]) > 0.01
    assert share_of(png, COLOURS["sadness"]) < 0.001  # never right: no bar
    assert share_of(png, COLOURS["fear"]) < 0.001  # no image


def test_reliability_is_drawn_with_empty_bins(report):
    assert share_of(reliability(report, RUN), STRONG) > 0.0001


def test_a_line_is_drawn_for_each_name_with_or_without_an_interval():
    short = spread(["a", "b"], [[0.5], [0.6]], [0.5, 0.6], [None, None], "t", "x")
    long = spread(list("abcdefghij"), [[0.5, 0.6]] * 10, [0.55] * 10, [[0.5, 0.6]] * 10, "t", "x")
    assert picture(long).shape[0] > picture(short).shape[0]


@pytest.fixture
def axes_of(monkeypatch):
    """Return a function that draws a chart and gives back its panels, as matplotlib holds them."""
    drawn = []
    whole = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda figure, *a, **more: drawn.append(figure) or whole(figure, *a, **more))

    def panels(png):
        assert picture(png) is not None
        return drawn[-1].axes

    return panels


def heading(axes):
    return axes.figure.get_suptitle()


def words(axes):
    return [text.get_text() for text in axes.texts]


def ticks(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def lines(axes):
    """The points of each line, by its label."""
    return {line.get_label(): list(zip(*line.get_data(), strict=True)) for line in axes.lines}


def test_each_curve_has_its_epochs_and_figures_and_the_chosen_epoch_is_marked(axes_of):
    columns = ("train_loss", "val_loss", "train_accuracy", "val_accuracy", "val_macro_f1", "lr")
    history = [{"epoch": e, **{c: e + i / 10 for i, c in enumerate(columns)}} for e in (1, 2, 3)]
    loss, scores, rate = axes_of(curves(history, 2, "first: train n = 5"))
    assert heading(loss) == "first: train n = 5"
    assert [axes.get_title("left") for axes in (loss, scores, rate)] == ["loss, nats", "score", "learning rate"]
    labels = {
        loss: {"train": 0, "val": 1},
        scores: {"train accuracy": 2, "val accuracy": 3, "val macro-F1": 4},
        rate: {"at the epoch's end": 5},
    }
    for axes, given in labels.items():
        found = lines(axes)
        assert {x for x, _ in found.pop("chosen: epoch 2")} == {2}
        assert found == {name: [(e, e + i / 10) for e in (1, 2, 3)] for name, i in given.items()}
        assert [t.get_text() for t in axes.get_legend().get_texts()] == [*given, "chosen: epoch 2"]
    without = [{k: v for k, v in row.items() if k != "val_macro_f1"} for row in history[:2]] + history[2:]
    assert "val macro-F1" not in lines(axes_of(curves(without, 1, ""))[1])


SMALL = {
    "protocol": {"split": "test"},
    **{"classes": ["happiness", "anger", "fear"], "confusion": [[6, 2, 0], [1, 399, 0], [0, 0, 0]], "n": 408},
    **{"accuracy": 0.9926, "macro_f1": 0.5},
}


def test_each_cell_says_its_share_of_the_true_class_and_its_images_and_so_do_zeros(axes_of):
    axes, bar = axes_of(confusion(SMALL, RUN))
    cells = {(t.get_position()[1] - 0.5, t.get_position()[0] - 0.5): t for t in axes.texts}
    assert [cells[at].get_text() for at in sorted(cells)] == [
        *("75%\n6", "25%\n2", "0%\n0"),
        *("<1%\n1", "100%\n399", "0%\n0"),
        *("-\n0", "-\n0", "-\n0"),  # a class without an image has no shares
    ]
    assert [cells[at].get_fontweight() for at in ((0, 0), (0, 1))] == ["bold", "normal"]
    assert axes.get_ylim() == (3, 0)  # the first class on top
    assert ticks(axes.xaxis)[:3] == ["happiness", "anger", "fear"]
    assert ticks(axes.yaxis)[:3] == ["happiness  (8)", "anger  (400)", "fear  (0)"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class (images)")
    assert (axes.get_title("left"), heading(axes)) == ("accuracy 99.3%, macro-F1 50.0%", "first: test, n = 408")
    assert (bar.get_ylabel(), ticks(bar.yaxis)[0], ticks(bar.yaxis)[-1]) == ("share of the true class", "0%", "100%")


def luminance(colour):
    """As WCAG 2 has it."""
    linear = [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in to_rgb(colour)]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def test_one_scale_from_nothing_to_all_has_a_shade_for_each_share_and_ink_that_is_read_on_it(axes_of):
    shares = [0, *range(61, 74), 100]  # round about where the ink changes
    rows = [[share, 100 - share] + [0] * (len(shares) - 2) for share in shares]
    report = {**SMALL, "classes": [f"c{share}" for share in shares], "confusion": rows}
    axes, _ = axes_of(confusion(report, RUN))
    (mesh,) = axes.collections
    assert (mesh.get_cmap().name, mesh.get_clim()) == (SEQUENTIAL, (0, 1))
    for text in axes.texts:
        x, y = (int(v) for v in text.get_position())
        shade, ink = luminance(mesh.to_rgba(rows[y][x] / 100)[:3]), luminance(text.get_color())
        assert (max(shade, ink) + 0.05) / (min(shade, ink) + 0.05) > 4.5, (text.get_text(), ink)


def test_a_hue_of_the_classes_means_nothing_else(axes_of, report):
    """Neither a curve, nor a bar of reliability, nor a line of an ablation has a class's colour."""
    history = [{"epoch": 1, "train_loss": 1, "val_loss": 1, "train_accuracy": 0, "val_accuracy": 0, "lr": 1}]
    charts = [
        *(curves(history, 1, ""), reliability(report, RUN)),
        spread([*"abcdefghi"], [[0.5]] * 9, [0.5] * 9, [[0.4, 0.6]] * 9, "", ""),
    ]
    for chart in charts:
        for axes in axes_of(chart):
            used = {to_hex(line.get_color()) for line in axes.lines}
            used |= {to_hex(bar.get_facecolor()) for bar in axes.patches}
            assert used.isdisjoint(COLOURS.values())
    scale = {to_hex(matplotlib.colormaps[SEQUENTIAL](v)) for v in range(256)}
    assert scale.isdisjoint(COLOURS.values())


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "first: test, n = 1,234"),
        ({"by_dataset": {"ckplus": {}}}, "first: test of ckplus, n = 1,234"),
        ({"by_dataset": dict.fromkeys("ab"), "protocol": {"split": "all"}}, "first: all splits of a, b, n = 1,234"),
        ({"by_dataset": dict.fromkeys("abcd")}, "first: test of 4 datasets, n = 1,234"),
    ],
)
def test_a_title_names_run_split_datasets_and_number(more, words):
    assert title(RUN, {"protocol": {"split": "test"}, "n": 1234, **more}) == words


def test_a_seed_or_a_fold_is_named_with_what_it_is_of_and_letters_without_a_font_are_left_out():
    assert name_of(Path("runs/a/augment=none/seed-0")) == "augment=none/seed-0"
    assert name_of(Path("runs/ten/fold-03")) == "ten/fold-03"
    assert name_of(Path("runs/\U0010fffd")) == "run"


@pytest.mark.parametrize("epochs", [1, 2, 3, 30])
def test_epochs_are_whole(axes_of, epochs):
    history = [{"epoch": e + 1, "train_loss": 1, "val_loss": 1, "lr": 1} for e in range(epochs)]
    for axes in axes_of(curves(history, 1, "")):
        low, high = axes.get_xlim()
        shown = [tick for tick in axes.get_xticks() if low <= tick <= high]
        assert shown
        assert all(tick == int(tick) for tick in shown)


def test_each_bar_is_as_long_as_its_figure_with_its_interval_and_the_classes_mean(axes_of):
    ends = {"recall": [0.7, 0.8], "precision": [0.5, 0.7], "f1": [0.4, 0.6]}
    none = {"recall": [0.0, 0.9], "precision": [0.0, 0.2], "f1": [0.0, 0.3]}
    rows = {
        "happiness": {"n": 1200, "recall": 0.75, "precision": 0.6, "f1": 0.5, "intervals": ends},
        "anger": {"n": 4, "recall": 0.25, "precision": None, "f1": 0.0, "intervals": {**none, "precision": None}},
        "fear": {"n": 0, "recall": None, "precision": 0.0, "f1": None, "intervals": {"precision": [0.0, 0.1]}},
    }
    told = {"classes": list(rows), "per_class": rows, "protocol": {"split": "val"}, "n": 1204}
    panels = axes_of(per_class(told, BASIC8.as_dict(), RUN))
    assert heading(panels[0]) == "first: val, n = 1,204"
    assert [axes.get_title("left") for axes in panels] == ["recall", "precision", "F1"]
    assert [[bar.get_width() for bar in axes.patches] for axes in panels] == [[0.75, 0.25, 0], [0.6, 0, 0], [0.5, 0, 0]]
    assert [words(axes) for axes in panels] == [["75%", "25%", "none"], ["60%", "none", "0%"], ["50%", "0%", "none"]]
    assert [t.get_position() for t in panels[0].texts] == [
        pytest.approx(at) for at in ((0.82, 0), (0.92, 1), (0.01, 2))
    ]
    spread_of = [line.get_data() for line in panels[0].lines if len(set(line.get_xdata())) == 2]
    assert [(list(x), list(y)) for x, y in spread_of] == [([0.7, 0.8], [0, 0])] * 2 + [([0.0, 0.9], [1, 1])] * 2
    means = [next(line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == ":") for axes in panels]
    assert means == pytest.approx([0.5, 0.3, 0.25])  # over the classes that have an image
    assert ticks(panels[0].yaxis) == ["happiness  (1,200)", "anger  (4)", "fear  (0)"]
    assert panels[0].get_ylim() == (2.6, -0.6)  # the first class on top
    colours = [tuple(round(255 * v) for v in bar.get_facecolor()[:3]) for bar in panels[0].patches]
    assert colours == [tuple(int(COLOURS[c][i : i + 2], 16) for i in (1, 3, 5)) for c in rows]


def test_reliability_shows_of_each_bin_how_often_it_is_right_and_how_many_images_it_has(axes_of):
    table = [[0, 0.0, 0], [10, 4.0, 5], [0, 0.0, 0], [30, 27.0, 24]]
    told = {
        **{"temperature": 1.5, "before": {"ece": 0.2}, "after": {"ece": 0.1}, "reliability": table},
    }
    top, below = axes_of(reliability({"calibration": told, "protocol": {"split": "test"}, "n": 40}, RUN))
    bars = [(bar.get_x() + bar.get_width() / 2, bar.get_height()) for bar in top.patches]
    assert bars == [pytest.approx((0.375, 0.5)), pytest.approx((0.875, 0.8))]
    assert [bar.get_height() for bar in below.patches] == [0, 10, 0, 30]
    assert [bar.get_width() for bar in below.patches] == pytest.approx([0.23] * 4)
    marks = [
        (line.get_xdata()[0], line.get_ydata()[0])
        for line in top.lines
        if line.get_marker() == "_" and len(line.get_xdata())
    ]
    assert marks[:2] == [pytest.approx((0.375, 0.4)), pytest.approx((0.875, 0.9))]
    upright = [list(line.get_ydata()) for line in top.lines if list(line.get_xdata()) == [0.375] * 2]
    assert upright == [pytest.approx([0.2366, 0.7634], abs=1e-4)]  # Wilson's, of 5 in 10
    assert {t.get_text() for t in top.get_legend().get_texts()} == {"accuracy", "mean confidence"}
    assert top.get_title("left") == "ECE 10.0% (T = 1.50; uncalibrated 20.0%)"
    assert top.get_ylabel() == "accuracy"
    assert below.get_xlabel() == "confidence (4 bins of equal width)"
    assert ([0, 1], [0, 1]) in [(list(line.get_xdata()), list(line.get_ydata())) for line in top.lines]


def test_each_roc_curve_begins_at_nothing_and_says_its_area_and_a_class_without_one_says_why(axes_of):
    rows = {
        "happiness": {"n": 6, "auc": 0.9, "intervals": {"auc": [0.8, 0.95]}},
        "anger": {"n": 2, "auc": 1.0, "intervals": {"auc": None}},
        "fear": {"n": 0, "auc": None, "intervals": {"auc": None}},
    }
    drawn = {"false_positive_rate": [0.0, 0.5, 1.0], "true_positive_rate": {
        "happiness": [0.2, 0.8, 1.0], "anger": [1.0, 1.0, 1.0], "fear": None}}  # fmt: skip
    told = {"classes": list(rows), "per_class": rows, "protocol": {"split": "test"}, "n": 8, "roc": drawn}
    told |= {"macro_auc": 0.95, "confidence_intervals": {"macro_auc": [0.9, 0.97]}}
    (axes,) = axes_of(roc(told, BASIC8.as_dict(), RUN))
    found = lines(axes)
    assert found["happiness: 0.900 (0.800 to 0.950)"] == [(0, 0), (0.0, 0.2), (0.5, 0.8), (1.0, 1.0)]
    assert found["anger: 1.000"][:2] == [(0, 0), (0.0, 1.0)]
    assert found["fear: none, no image"] == []
    assert found["mean (macro): 0.950 (0.900 to 0.970)"] == [(0, 0), (0.0, 0.6), (0.5, 0.9), (1.0, 1.0)]
    colours = {line.get_label().partition(":")[0]: line.get_color() for line in axes.lines}
    assert (colours["happiness"], colours["mean (macro)"]) == (COLOURS["happiness"], STRONG)
    (legend,) = axes.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(found)[1:]
    assert heading(axes) == "first: test, n = 8"


def test_where_all_images_are_of_one_class_there_is_no_roc_curve(axes_of):
    row = {"n": 8, "auc": None, "intervals": {"auc": None}}
    drawn = {"false_positive_rate": [0.0, 1.0], "true_positive_rate": {"anger": None}}
    told = {"classes": ["anger"], "per_class": {"anger": row}, "protocol": {"split": "test"}, "n": 8, "roc": drawn}
    (axes,) = axes_of(roc(told, BASIC8.as_dict(), RUN))
    assert list(lines(axes))[1:] == ["anger: none, no image of another class"]


def test_a_spread_has_a_dot_for_each_value_and_the_mean_with_its_interval(axes_of):
    values, means = [[0.5, 0.6], [0.9]], [0.55, 0.9]
    (axes,) = axes_of(spread(["a", "b"], values, means, [[0.3, 0.8], None], "head", "accuracy"))
    drawn = [(line.get_marker(), list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines]
    dots = [(x, y) for marker, x, y in drawn if marker == "o"]
    assert dots == [([0.5, 0.6], [0, 0]), ([0.9], [1])]
    assert [(x, y) for marker, x, y in drawn if marker == "D"] == [([0.55], [0]), ([0.9], [1])]
    assert [(x[0], y) for marker, x, y in drawn if marker == "|"] == [(0.3, [0]), (0.8, [0])]
    assert words(axes) == ["55.0%", "90.0%"]
    assert ticks(axes.yaxis) == ["a", "b"]
    assert (heading(axes), axes.get_xlabel(), axes.get_ylim()) == ("head", "accuracy", (1.6, -0.75))


def test_an_interval_that_goes_on_beyond_what_a_share_can_be_ends_in_an_arrow_that_says_how_far(axes_of):
    (axes,) = axes_of(spread(["a"], [[0.2, 0.9]], [0.55], [[-1.3, 1.2]], "", ""))
    ends = [(line.get_marker(), line.get_xdata()[0]) for line in axes.lines if line.get_marker() in "<>|"]
    assert ends == [("<", 0.0), (">", 1.0)]
    assert words(axes) == ["to -130%", "to 120%", "55.0%"]
