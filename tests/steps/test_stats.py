"""Stats: counts that add up, weights with known values, plots that open."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from ferdata.charts.lettering import key
from ferdata.errors import BadOption, CannotWrite
from ferdata.steps.stats import stats
from tests.conftest import MakeManifest, Ran


def rows(**counts: int) -> list[dict]:
    return [{"native_label": label, "official_split": "train"} for label, n in counts.items() for _ in range(n)]


def test_counts_shares_and_entropy_are_those_of_the_labels(make_manifest: MakeManifest) -> None:
    (part,) = stats(make_manifest(*rows(fear=6, anger=2), {"official_split": "train"})).parts
    assert (part.part, part.rows, part.labelled) == ("train", 9, 8)
    assert {c: n for c, n in part.counts.items() if n} == {"anger": 2, "fear": 6}
    assert part.unlabelled == {"unlabelled": 1}
    assert (part.imbalance, part.majority_share) == (3.0, 0.75)
    assert part.prior_entropy == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)))


def test_the_parts_add_up_to_all(make_manifest: MakeManifest) -> None:
    path = make_manifest(*rows(fear=3), {"native_label": "anger", "official_split": "test"}, {"native_label": "fear"})
    *parts, whole = stats(path).parts
    assert [p.part for p in parts] == ["train", "test", "none"]
    assert whole.rows == sum(p.rows for p in parts) == 5
    assert whole.counts == {c: sum(p.counts[c] for p in parts) for c in whole.counts}


def test_another_policy_is_counted_without_ingesting_again(make_manifest: MakeManifest) -> None:
    path = make_manifest({"votes": [5, 5, 0, 0, 0, 0, 0, 0, 0, 0]}, {"votes": [9, 0, 0, 0, 0, 0, 0, 0, 0, 0]})
    assert [stats(path, votes=policy).parts[-1].labelled for policy in (None, "crossentropy")] == [1, 2]


def test_what_the_taxonomy_leaves_out_is_counted_as_such(make_manifest: MakeManifest) -> None:
    part = stats(make_manifest(*rows(contempt=2, fear=1)), taxonomy="basic7").parts[-1]
    assert part.unlabelled == {"not in taxonomy": 2}


def test_drift_between_splits_and_between_datasets_is_told(make_manifest: MakeManifest) -> None:
    path = make_manifest(
        *rows(fear=6, anger=6),
        *[{"native_label": "fear", "official_split": "test", "dataset": "b"}] * 4,
        {"native_label": "fear"},
    )
    result = stats(path)
    (between,) = result.drift  # rows without a split are no part
    assert (between.first, between.second) == ("train", "test")
    assert between.jensen_shannon is not None
    assert between.jensen_shannon > 0.2
    assert between.small
    (datasets,) = result.dataset_drift
    assert (datasets.first, datasets.second) == ("b", "made")
    assert stats(path, by="dataset").dataset_drift == ()


def test_conflicts_are_those_of_equal_pixels_or_of_the_merge(make_manifest: MakeManifest, tmp_path: Path) -> None:
    from ferdata.steps.merge import merge

    path = make_manifest({"native_label": "fear", "seed": 1}, {"native_label": "anger", "seed": 1, "dataset": "b"})
    assert stats(path).conflicts is None
    for manifest in (path, merge(path, out=tmp_path / "m.parquet").out):
        found = stats(manifest, conflicts=True).conflicts
        assert found is not None
        assert (found.pictures, found.between[0].cells) == (1, (("anger", "fear", 1),))


def test_folds_are_parts_in_the_order_of_their_numbers(make_manifest: MakeManifest) -> None:
    path = make_manifest(*[{"native_label": "fear", "fold": i} for i in (10, 2, 0)], {"native_label": "fear"})
    assert [p.part for p in stats(path, by="fold").parts] == ["0", "2", "10", "none", "all"]


def test_why_rows_have_no_class_stands_below_the_table_and_of_many_parts_for_all_together(
    ferdata, make_manifest: MakeManifest
) -> None:
    def people(number: int) -> list[dict]:
        return [{"subject": f"S{i}", "native_label": label} for i in range(number) for label in ("fear", None)]

    few = ferdata("stats", make_manifest(*people(2), name="few"), "--by", "subject")
    assert "Unlabelled: S0 1 unlabelled; S1 1 unlabelled; all 2 unlabelled." in few.out
    many = ferdata("stats", make_manifest(*people(13), name="many"), "--by", "subject")
    assert "Unlabelled: all 13 unlabelled." in many.out


@pytest.mark.parametrize(("style", "begins"), [("markdown", "**Rows by split"), ("latex", "\\begin{table}")])
def test_tables_for_a_text_hold_every_count_and_nothing_else(
    ferdata, make_manifest: MakeManifest, style: str, begins: str
) -> None:
    path = make_manifest(*rows(fear=6, anger=2), {"native_label": "fear", "official_split": "test"})
    ran = ferdata("stats", path, "--format", style, "--conflicts")
    assert ran.code == 0, ran
    assert ran.out.startswith(begins)
    assert "Terms" not in ran.out
    if style == "latex":
        assert ran.out.count("\\begin{tabular}") == ran.out.count("\\end{table}") >= 4
        assert "max/min" in ran.out
        assert "_" not in ran.out.replace("\\_", "")
        labels = re.findall(r"\\label\{(.*)\}", ran.out)
        assert labels[0] == "tab:rows-by-split"
        assert len(set(labels)) == len(labels) == ran.out.count("\\begin{table}") == ran.out.count("\\resizebox{")
    else:
        assert "| train | 8 | 8 | 0 | 0 | 0 | 0 | 0 | 2 | 0 | 6 | 0 |" in ran.out


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_the_plot_is_written(make_manifest: MakeManifest, tmp_path: Path, suffix: str) -> None:
    plot = tmp_path / f"balance{suffix}"
    stats(make_manifest(*rows(fear=3, anger=1)), plot=plot)
    data = plot.read_bytes()
    assert data.startswith({".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[suffix])
    if suffix == ".png":
        assert (cv2.imread(str(plot)).reshape(-1, 3) != 255).any()


def test_a_column_that_cannot_part_rows_is_refused(make_manifest: MakeManifest) -> None:
    with pytest.raises(BadOption, match="'votes'"):
        stats(make_manifest(*rows(fear=1)), by="votes")


@pytest.mark.parametrize("by", ["sample_id", "pixel_hash", "sequence"])
def test_a_column_of_too_many_values_is_refused_with_their_number(make_manifest: MakeManifest, by: str) -> None:
    path = make_manifest(*({"native_label": "fear", "seed": i, "sequence": f"v{i}"} for i in range(301)))
    with pytest.raises(BadOption, match=rf"{by} has 301 values, and at most 300 parts"):
        stats(path, by=by)


def test_as_many_parts_as_a_set_has_people_are_compared(make_manifest: MakeManifest) -> None:
    people = [{"native_label": ("fear", "anger")[i % 2], "seed": 0, "subject": f"S{i // 2}"} for i in range(200)]
    assert len(stats(make_manifest(*people), by="subject").drift) == 100 * 99 // 2


def test_a_plot_that_cannot_be_written_is_our_error(make_manifest: MakeManifest, tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="txt"):
        stats(make_manifest(*rows(fear=1)), plot=tmp_path / "plot.txt")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CannotWrite):
        stats(make_manifest(*rows(fear=1), name="b"), plot=tmp_path / "file" / "plot.png")


def test_the_strictest_terms_of_a_merge_are_told(make_manifest: MakeManifest, tmp_path: Path) -> None:
    from ferdata import manifest
    from tests.conftest import make_rows, metadata_of

    batch = make_rows([{"native_label": "fear"}, {"native_label": "fear", "dataset": "strict"}])
    data = metadata_of(batch)
    data["sources"]["strict"] |= {"redistribution": False, "commercial": False}
    manifest.write(tmp_path / "m.parquet", [batch], data)
    terms = stats(tmp_path / "m.parquet").terms
    assert (terms.no_redistribution, terms.no_commercial_use) == (("strict",), ("strict",))
    free = stats(make_manifest(*rows(fear=1))).terms
    assert (free.no_redistribution, free.no_commercial_use) == ((), ())


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_classes_and_parts_in_any_script_are_drawn_or_numbered_with_a_key(
    ferdata: Callable[..., Ran], make_manifest: MakeManifest, tmp_path: Path, suffix: str
) -> None:
    classes = {"happiness": "高兴", "anger": "злость", "sadness": "حزين"}
    mapping = "".join(f'{emotion} = "{name}"\n' for emotion, name in classes.items())
    taxonomy = tmp_path / "mine.toml"
    taxonomy.write_text(
        f"classes = {json.dumps([*classes.values()], ensure_ascii=False)}\n[mapping]\n{mapping}", "utf-8"
    )
    made = [{**row, "subject": subject} for row in rows(happiness=2, anger=1) for subject in ("小明", "$x$")]
    arguments = ("--taxonomy", taxonomy, "--by", "subject", "--plot", tmp_path / f"p{suffix}")
    ran = ferdata("stats", make_manifest(*made), *arguments)
    assert (ran.code, ran.err) == (0, ""), ran
    words = (*classes.values(), "$x$", "小明")
    assert (key(words) in ran.out) or not key(words)
