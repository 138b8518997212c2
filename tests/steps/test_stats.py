"""Stats: counts that add up, weights with known values, plots that open."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from ferdata.errors import BadOption, CannotWrite
from ferdata.steps.stats import balanced_weights, effective_weights, stats
from tests.conftest import MakeManifest


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


def test_balanced_weights_make_every_class_weigh_the_same() -> None:
    counts = np.array([10, 40, 0])
    assert (balanced_weights(counts) * counts).tolist() == [25, 25, 0]


def test_effective_weights_follow_their_formula() -> None:
    counts = np.array([10, 1000])
    raw = 0.001 / (1 - 0.999**counts)
    assert effective_weights(counts) == pytest.approx(raw / raw.mean())
    assert effective_weights(np.array([5, 0])).tolist() == [1, 0]


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
