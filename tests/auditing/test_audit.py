"""The rooms of the audit: what each finding sees, what it does not, and how labels are doubted."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ferdata import images
from ferdata.auditing import answers, pictures, predicted, suspects, whole
from ferdata.auditing.catalogue import ABOUT, BY_NAME, CATALOGUE, GRAVEST_FIRST, thresholds
from ferdata.errors import BadOption
from ferdata.labels import EMOTIONS, TAXONOMIES
from tests.conftest import make_rows, picture

BASIC8 = TAXONOMIES["basic8"]


def table(*rows: dict) -> pa.Table:
    return pa.Table.from_batches([make_rows(list(rows))])


def drawn(pixels: np.ndarray) -> dict:
    facts = images.measure(pixels)
    return {name: getattr(facts, name) for name in images.Facts.__slots__}


def holds(name: str, score: float) -> bool:
    return score > BY_NAME[name].threshold if BY_NAME[name].above else score < BY_NAME[name].threshold


def test_every_finding_has_a_name_of_its_own_and_says_what_it_is() -> None:
    assert len(BY_NAME) == len(CATALOGUE)
    assert {f.about for f in CATALOGUE} == set(ABOUT)
    for finding in CATALOGUE:
        assert finding.meaning
        assert finding.holds(0.375) == finding.rule.replace("{}", "0.375")


def test_rules_are_words_that_a_person_reads() -> None:
    assert BY_NAME["unreadable"].holds(0) == "image that cannot be read"
    assert BY_NAME["dark"].holds(0.13) == "brightness (mean grey value, 0 to 1) below 0.13"
    assert [f.name for f in CATALOGUE if set("<>") & set(f.rule)] == []


def test_every_finding_has_its_place_in_the_order_of_harm_and_a_leak_is_first() -> None:
    assert sorted(GRAVEST_FIRST) == sorted(BY_NAME)
    assert GRAVEST_FIRST[0] == "leak"


def test_a_threshold_is_a_number_and_a_finding_that_is_not_there_is_named_with_its_neighbours() -> None:
    assert thresholds(["blurred=0.2"])["blurred"] == 0.2
    assert thresholds([])["dark"] == BY_NAME["dark"].threshold
    with pytest.raises(BadOption, match="Did you mean blurred"):
        thresholds(["blured=1"])
    for wrong in ("dark", "dark=", "dark=nan", "dark=much"):
        with pytest.raises(BadOption, match="threshold of dark"):
            thresholds([wrong])
    with pytest.raises(BadOption, match="unreadable has no threshold"):
        thresholds(["unreadable=1"])


def photograph(side: int = 192) -> np.ndarray:
    """A face-like scene whose detail fades as a photograph's does."""
    rng = np.random.default_rng(3)
    across = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.rfftfreq(side), indexing="ij"))
    spectrum = np.fft.rfft2(rng.normal(size=(side, side))) / np.maximum(across, 1 / side) ** 1.75
    scene = np.fft.irfft2(spectrum, (side, side))
    return np.clip(128 + 45 * scene / scene.std(), 0, 255).astype(np.uint8)


def test_pictures_are_told_by_what_ingest_measured() -> None:
    import cv2

    plain = photograph()
    kinds = {
        "fine": plain,
        "blank": np.full((48, 48), 90, np.uint8),
        "dark": (plain * 0.2).astype(np.uint8),
        "bright": np.clip(plain * 0.2 + 205, 0, 255).astype(np.uint8),
        "blurred": cv2.GaussianBlur(cv2.resize(plain, (48, 48), interpolation=cv2.INTER_AREA), (0, 0), 2.4),
        "small": cv2.resize(plain, (32, 32), interpolation=cv2.INTER_AREA),
        "odd_shape": plain[:60],
    }
    scores = pictures.measured(table(*({**drawn(p)} for p in kinds.values())))
    found = {kind: {n for n, s in scores.items() if holds(n, s[i])} for i, kind in enumerate(kinds)}
    assert found["fine"] == set()
    for kind in set(kinds) - {"fine"}:
        assert kind in found[kind], (kind, {n: float(s[list(kinds).index(kind)]) for n, s in scores.items()})
    assert "blurred" not in found["blank"]


@pytest.mark.parametrize("side", [48, 96, 192, 384])
def test_what_is_out_of_focus_is_told_from_what_is_sharp_at_every_size(side: int) -> None:
    import cv2

    sharp = cv2.resize(photograph(384), (side, side), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(sharp, (0, 0), 0.05 * side)
    detail = pictures.measured(table({**drawn(sharp)}, {**drawn(soft)}))["blurred"]
    if side > pictures.NEAR_ENOUGH:  # what ingest measured says nothing of pictures that a net will see smaller
        assert np.isnan(detail).all()
        detail = np.array([pictures.shrunk(p) for p in (sharp, soft)])
    assert [holds("blurred", d) for d in detail] == [False, True], detail


def test_a_face_is_as_large_as_its_box_was_before_align_enlarged_it() -> None:
    cut = {"box": [9, 9, 30, 25], "pixel_hash": "0" * 32}
    rows = table({"face_box": [0, 0, 200, 100]}, {"face_box": [0, 0, 112, 112], "alignment": cut}, {})
    np.testing.assert_array_equal(pictures.measured(rows)["small_face"], [100, 25, np.nan])
    assert "small_face" not in pictures.measured(table({}))


def test_grey_is_a_finding_among_colour_alone() -> None:
    rows = [{"mode": "RGB"}] * 3 + [{"mode": "L"}] + [{"mode": "L", "dataset": "other"}] * 2
    grey = pictures.seen(table(*rows), None)["grey"]
    assert [holds("grey", g) for g in grey] == [False, False, False, True, False, False]


def test_copies_under_two_labels_contradict_each_other() -> None:
    said = ["anger", "fear", "fear", "sadness", "sadness", None]
    rows = table(*({"seed": i // 3, "native_label": s} for i, s in enumerate(said)))
    against = answers.against(answers.read(rows, BASIC8))
    np.testing.assert_allclose(against, [1, 0.5, 0.5, 0, 0, np.nan])


def test_votes_are_counted_for_the_label_and_by_their_spread() -> None:
    rows = table({"votes": [6, 4, 0, 0, 0, 0, 0, 0, 0, 0]}, {"votes": [2, 2, 2, 2, 2, 0, 0, 0, 0, 0]}, {})
    labels = answers.read(rows, BASIC8)
    scores = answers.scores(labels)
    np.testing.assert_allclose(scores["vote_disagreement"], [0.6, np.nan, np.nan], rtol=1e-6)
    np.testing.assert_allclose(scores["vote_entropy"], [0.970951, np.log2(5), np.nan], rtol=1e-5)


def test_a_leak_is_a_picture_or_a_group_on_two_sides() -> None:
    rows = table(
        {"seed": 1, "split": "train", "group": 0},
        {"seed": 1, "split": "test", "group": 1},  # the group does not know that these are one picture
        {"seed": 2, "split": "val", "group": 2},
        {"seed": 3, "split": "train", "group": 2},
        {"seed": 4, "split": "train", "group": 3},
        {"seed": 4, "split": None, "group": 3},
    )
    np.testing.assert_allclose(whole.rows(rows)["leak"], [2, 2, 2, 2, 1, np.nan])


def test_a_person_of_one_class_gives_the_label_away() -> None:
    rows = table(
        *({"subject": "a", "native_label": "anger"} for _ in range(4)),
        *({"subject": "b", "native_label": e} for e in ("anger", "fear")),
        *({"subject": "a", "dataset": "other", "native_label": e} for e in ("anger", "fear")),
        {"native_label": "fear"},
    )
    np.testing.assert_allclose(whole.rows(rows)["one_class_subject"], [4, 4, 4, 4, 0, 0, 0, 0, np.nan])


def test_parts_are_measured_by_split_and_by_dataset() -> None:
    rows = table(
        *({"native_label": "anger", "split": "train", "synthetic": True} for _ in range(6)),
        *({"native_label": "fear", "split": "train"} for _ in range(2)),
        *({"native_label": "fear", "split": "test", "dataset": "other"} for _ in range(2)),
    )
    parts = whole.parts(rows, EMOTIONS)
    assert parts["imbalance"] == {"train": 3.0, "test": 1.0}
    assert parts["synthetic"] == {"train": 0.75, "test": 0.0}
    assert set(parts["drift"]) == {"train against test", "made against other"}
    assert parts["drift"]["train against test"] > 0.3


def doubted(share: float = 0.1, n: int = 600, copies: int = 0) -> tuple[answers.Labels, np.ndarray, np.ndarray]:
    """Labels of three classes, some flipped, what a net that is mostly right says, and which were flipped."""
    rng = np.random.default_rng(1)
    true = rng.integers(0, 3, n)
    p = np.full((n, 8), 0.002, np.float32)
    p[np.arange(n), np.where(rng.random(n) < 0.9, true, (true + 1) % 3)] = 1
    p[:, :3] += rng.uniform(0, 0.05, (n, 3))
    flipped = rng.random(n) < share
    hard = np.where(flipped, (true + rng.integers(1, 3, n)) % 3, true)
    number = np.arange(n) // (copies + 1)
    nothing = np.full((n, 8), np.nan, np.float32)
    labels = answers.Labels(hard, number, nothing, nothing[:, 0])
    return labels, p / p.sum(axis=1, keepdims=True), flipped


def test_flipped_labels_are_the_least_probable_ones() -> None:
    labels, p, flipped = doubted()
    found = suspects.find(labels, p)
    assert found.quality[flipped].mean() < 0.5 < found.quality[~flipped].mean()
    assert (flipped[np.argsort(found.quality)[: flipped.sum()]]).mean() > 0.5
    assert 0.05 < found.noise < 0.4
    assert (found.expected == p.argmax(axis=1)).all()


def test_the_order_is_that_of_self_confidence_where_there_are_no_copies() -> None:
    labels, p, _ = doubted()
    own = p[np.arange(len(p)), labels.hard]
    found = suspects.find(labels, p)
    assert (np.diff(found.quality[np.argsort(own, kind="stable")]) >= 0).all()


def test_copies_that_agree_vouch_for_a_label_and_one_that_does_not_takes_nothing_away() -> None:
    labels, p, _ = doubted()
    alone = suspects.find(labels, p).quality
    same = answers.Labels(labels.hard.copy(), labels.picture.copy(), labels.shares, labels.spread)
    same.picture[1], same.hard[1] = same.picture[0], same.hard[0]
    other = answers.Labels(same.hard.copy(), same.picture, labels.shares, labels.spread)
    other.hard[1] = (same.hard[0] + 1) % 3
    assert suspects.find(same, p).quality[0] > alone[0]
    assert suspects.find(other, p).quality[0] == pytest.approx(alone[0], abs=0.05)


def test_votes_are_compared_with_what_is_predicted() -> None:
    labels, p, _ = doubted()
    labels.shares[0], labels.shares[1] = p[0], np.eye(8)[7]
    found = suspects.find(labels, p).divergence
    assert found[0] < 0.01
    assert found[1] > 0.5
    assert np.isnan(found[2:]).all()


def test_rows_without_a_label_or_a_prediction_have_no_quality() -> None:
    labels, p, _ = doubted()
    labels.hard[0] = -1
    p[1] = np.nan
    found = suspects.find(labels, p)
    assert np.isnan(found.quality[:2]).all()
    assert not np.isnan(found.quality[2:]).any()
    assert found.expected[1] == -1


def test_predictions_of_one_class_alone_judge_nothing() -> None:
    labels, p, _ = doubted()
    labels.hard[:] = 1
    with pytest.raises(BadOption, match="two classes or more need a prediction; here it is 1"):
        suspects.find(labels, p)


IDS = pa.chunked_array([["a", "b", "c"]])


def test_predictions_are_matched_by_id_and_class_by_name(tmp_path: Path) -> None:
    path = tmp_path / "said.parquet"
    shares = {e: [0.0, 0.0] for e in reversed(EMOTIONS)} | {"anger": [1.0, 0.25], "fear": [0.0, 0.75]}
    pq.write_table(pa.table({"sample_id": ["c", "a"], **shares}), path)
    found = predicted.read(path, IDS, EMOTIONS)
    assert found[2, EMOTIONS.index("anger")] == 1
    assert found[0, EMOTIONS.index("fear")] == 0.75
    assert np.isnan(found[1]).all()


def test_predictions_that_cannot_be_used_are_refused_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "said.parquet"
    for columns, words in (
        ({"id": ["a"]}, "no column sample_id"),
        ({"sample_id": ["a"], "anger": [1.0]}, "no column neutral"),
        ({"sample_id": ["a"], **{e: [0.5] for e in EMOTIONS}}, "not probabilities"),
        ({"sample_id": ["z"], **{e: [1 / 8] for e in EMOTIONS}}, "none of the manifest's 3 rows"),
        ({"sample_id": ["a"], "probabilities": [[1.0]]}, "which classes"),
    ):
        pq.write_table(pa.table(columns), path)
        with pytest.raises(BadOption, match=words):
            predicted.read(path, IDS, EMOTIONS)
    path.write_bytes(b"PAR1 but no more")
    with pytest.raises(BadOption, match="holds no predictions"):
        predicted.read(path, IDS, EMOTIONS)


def test_the_picture_of_the_tests_is_none_of_the_findings() -> None:
    scores = pictures.measured(table({**drawn(picture(0))}))
    assert not {n for n, s in scores.items() if holds(n, s[0])} - {"blurred"}
