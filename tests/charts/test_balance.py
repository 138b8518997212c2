"""The class balance: by shares, so that a small part is seen beside a large one."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from ferdata.charts.balance import MOST, drawn_parts, save
from ferdata.class_balance import Balance
from ferdata.labels import TAXONOMIES
from ferdata.steps.stats import stats
from tests.conftest import MakeManifest

FER3 = TAXONOMIES["fer3"]


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are drawn, as matplotlib holds them."""
    drawn: list[Figure] = []
    whole = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda figure, *a, **more: drawn.append(figure) or whole(figure, *a, **more))
    return drawn


def rows(dataset: str, **counts: int) -> list[dict]:
    return [{"native_label": label, "dataset": dataset} for label, n in counts.items() for _ in range(n)]


def parts(make_manifest: MakeManifest, *all_rows: dict, by: str = "dataset") -> tuple[Balance, ...]:
    return stats(make_manifest(*all_rows), by=by, taxonomy="fer3").parts


def test_each_part_has_a_panel_and_a_bar_is_the_share_of_a_class_within_it(
    make_manifest: MakeManifest, tmp_path: Path, figures: list[Figure]
) -> None:
    found = parts(make_manifest, *rows("large", anger=60, happiness=40), *rows("small", anger=1, happiness=3))
    save(tmp_path / "p.pdf", found, FER3, "dataset")
    large, small = figures[0].axes
    titles = [axes.get_title("left") for axes in (large, small)]
    assert titles == ["large, n = 100", "small, n = 4"]
    assert [[bar.get_width() for bar in axes.patches] for axes in (large, small)] == [[0.6, 0.4, 0], [0.25, 0.75, 0]]
    assert [text.get_text() for text in small.texts] == ["25.0%  1", "75.0%  3", "0.0%  0"]
    assert large.get_xlim() == small.get_xlim()
    assert [label.get_text() for label in large.get_yticklabels()] == list(FER3.classes)
    assert figures[0].get_suptitle() == "Class shares by dataset, n = 104 labelled rows"


def test_a_bar_is_never_paler_than_its_class(
    make_manifest: MakeManifest, tmp_path: Path, figures: list[Figure]
) -> None:
    found = parts(make_manifest, *rows("a", anger=9), *rows("b", anger=1), *rows("c", anger=90))
    save(tmp_path / "p.png", found, FER3, "dataset")
    assert {bar.get_alpha() for axes in figures[0].axes for bar in axes.patches} <= {None, 1}


def test_of_many_parts_the_largest_are_drawn_and_the_title_says_so(
    make_manifest: MakeManifest, tmp_path: Path, figures: list[Figure]
) -> None:
    found = parts(make_manifest, *(row for i in range(MOST + 2) for row in rows(f"d{i:02}", anger=i + 1)))
    assert [part.part for part in drawn_parts(found)] == [f"d{i:02}" for i in range(2, MOST + 2)]
    save(tmp_path / "p.png", found, FER3, "dataset")
    assert len(figures[0].axes) == MOST
    assert figures[0].get_suptitle().startswith(f"Class shares by dataset, the {MOST} largest of {MOST + 2}, n = ")


def test_a_row_of_panels_that_is_not_full_has_no_empty_one(
    make_manifest: MakeManifest, tmp_path: Path, figures: list[Figure]
) -> None:
    save(tmp_path / "p.png", parts(make_manifest, *(r for d in "abcde" for r in rows(d, anger=1))), FER3, "dataset")
    assert [axes.get_visible() for axes in figures[0].axes] == [True] * 5 + [False] * 3
