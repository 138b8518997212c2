from pathlib import Path

import numpy as np
import pytest
import torch

from ferdata.errors import BadOption, BrokenSource, CannotWrite, ImagesMissing
from ferdata.manifest import Manifest
from ferdata.running import cache
from tests.zoo.conftest import shape, shape_rows, write_shapes
from zoo.data.rows import all_grey, class_weights, load, natural_size, of_split, read_rows, shared, statistics


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FERDATA_CACHE", str(tmp_path / "cache"))


def read(path, **more):
    return read_rows(Manifest(path), **more)


def test_every_split_has_its_rows_with_pixels_and_classes_in_step(manifest_path):
    rows = read(manifest_path)
    parts = load(rows, of_split(rows, "soft"), 32, 1)
    assert {name: len(part) for name, part in parts.items()} == {"train": 128, "val": 40, "test": 48}
    first = shape_rows()[128]["shape"]
    assert np.array_equal(parts["val"].pixels[0, ..., 0].numpy(), shape(*first))
    assert rows.taxonomy.classes[int(parts["val"].hard[0])] == first[0]


def test_a_manifest_that_was_never_split_is_taken_by_its_official_split(shapes):
    rows = read(shapes([{**r, "official_split": r["split"], "split": None} for r in shape_rows()]))
    assert rows.split_source == "official_split"
    assert len(rows.where("val")) == 40


def test_a_row_that_merge_took_out_of_the_split_stays_out(shapes):
    given = shape_rows()
    given[0] |= {"official_split": "train", "split": None}
    assert len(read(shapes(given)).where("train")) == 127


def test_soft_targets_are_the_votes_shares_and_hard_ones_the_majority(shapes):
    votes = [4, 0, 0, 0, 4, 0, 0, 0, 1, 1]  # no majority, but a distribution
    sure = [0, 9, 0, 1, 0, 0, 0, 0, 0, 0]
    given = [{**r, "votes": votes if i == 0 else sure} for i, r in enumerate(shape_rows())]
    rows = read(shapes(given))
    assert len(rows.where("train", "soft")) == 128
    assert len(rows.where("train", "hard")) == 127
    assert rows.soft[0].tolist() == [0.5, 0, 0, 0, 0.5, 0, 0, 0]
    assert rows.soft[1].tolist() == [0, 1, 0, 0, 0, 0, 0, 0]


def test_val_and_test_keep_to_rows_with_a_class(shapes):
    votes = [4, 0, 0, 0, 4, 0, 0, 0, 1, 1]
    given = [{**r, "votes": votes} if r["split"] != "train" and i % 2 else r for i, r in enumerate(shape_rows())]
    where = of_split(read(shapes(given)), "soft")
    assert (len(where["val"]), len(where["test"])) == (20, 24)


def test_votes_for_emotions_outside_the_taxonomy_leave_the_rest_summing_to_one(shapes):
    votes = [5, 3, 0, 2, 0, 0, 0, 0, 0, 0]  # neutral has no class among angry, happy, sad
    given = [{**r, "votes": votes} if i == 0 else r for i, r in enumerate(shape_rows())]
    soft = read(shapes(given, taxonomy="fer3")).soft[0]
    assert soft.sum() == pytest.approx(1)
    assert soft[0] == 0


def test_a_reviewers_word_goes_over_the_votes(shapes):
    votes = [0, 9, 0, 1, 0, 0, 0, 0, 0, 0]
    given = [{**r, "votes": votes, "reviewed_label": "anger"} if i == 0 else r for i, r in enumerate(shape_rows())]
    assert read(shapes(given)).soft[0].tolist() == [0, 0, 0, 0, 1, 0, 0, 0]


def test_one_dataset_can_be_chosen_and_a_stranger_is_refused(shapes):
    given = [{**r, "dataset": "left" if i % 2 else "right"} for i, r in enumerate(shape_rows())]
    path = shapes(given)
    assert len(read(path, datasets=["left"]).where("train", "soft")) == 64
    with pytest.raises(BadOption, match="no dataset middle"):
        read(path, datasets=["middle"])


def test_an_image_that_no_longer_decodes_is_named(tmp_path, own_cache):
    path = write_shapes(
        tmp_path / "bad.parquet", [{**r, "image": {"bytes": b"junk", "path": None}} for r in shape_rows()]
    )
    rows = read(path)
    with pytest.raises(BrokenSource, match="made:0000"):
        load(rows, of_split(rows, "hard"), 32, 1)


def test_images_that_moved_are_asked_for(tmp_path, own_cache):
    gone = {"bytes": None, "path": "gone.png"}
    path = write_shapes(tmp_path / "gone.parquet", [{**r, "image": gone} for r in shape_rows()])
    rows = read(path)
    with pytest.raises(ImagesMissing):
        load(rows, of_split(rows, "hard"), 32, 1)


def test_statistics_are_those_of_all_pixels():
    pixels = torch.randint(0, 256, (20, 8, 8, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    mean, std = statistics(pixels)
    flat = pixels.double().reshape(-1, 3) / 255
    assert mean == pytest.approx(flat.mean(0).tolist())
    assert std == pytest.approx(flat.std(0, correction=0).tolist())


def test_class_weights_average_to_one_and_lift_the_rare():
    soft = torch.eye(2)[torch.tensor([0] * 90 + [1] * 10)]
    assert class_weights(soft, "none") is None
    for how in ("balanced", "effective"):
        weights = class_weights(soft, how)
        assert float((soft * weights).sum(1).mean()) == pytest.approx(1)
        assert weights[1] > weights[0]
    assert class_weights(soft, "balanced").tolist() == pytest.approx([100 / 180, 100 / 20])
    assert class_weights(soft, "balanced", cap=2.5).tolist() == pytest.approx([100 / 180, 2.5])


def test_a_class_that_never_occurs_has_no_weight():
    weights = class_weights(torch.tensor([[1.0, 0, 0], [0, 1.0, 0]]), "balanced")
    assert weights.tolist() == pytest.approx([1, 1, 0])


def test_a_set_that_nothing_can_hold_is_refused_before_reading(manifest_path):
    rows = read(manifest_path)
    with pytest.raises(CannotWrite, match="is full"):
        load(rows, of_split(rows, "hard"), 60_000, 3)


def test_the_size_of_the_images_decides_where_a_backbone_has_none(manifest_path):
    rows = read(manifest_path)
    assert natural_size(rows, rows.where("all")) == 32
    assert all_grey(rows, rows.where("all"))


DIVIDED = [4, 0, 0, 0, 4, 0, 0, 0, 1, 1]  # no majority, but a distribution
SURE = [0, 9, 0, 1, 0, 0, 0, 0, 0, 0]


def test_every_kind_of_target_and_evaluation_share_the_packs_of_one_training(shapes, own_cache):
    given = [{**r, "votes": DIVIDED if i % 3 == 0 else SURE} for i, r in enumerate(shape_rows())]
    path = shapes(given)
    voted = read(path)
    sure = read(path, targets="majority")
    parts = load(voted, of_split(voted, "crossentropy"), 32, 1)
    assert len(cache.entries()) == 3
    some = load(sure, of_split(sure, "majority"), 32, 1)
    judged = load(voted, {"test": voted.where("test")}, 32, 1)
    assert len(cache.entries()) == 3
    assert (len(parts["train"]), len(some["train"])) == (128, 85)
    for part in (*parts.values(), *some.values(), *judged.values()):
        for at, i in enumerate(part.where.tolist()):
            assert np.array_equal(part.pixels[at, ..., 0].numpy(), shape(*given[i]["shape"]))


def test_pixels_are_a_view_of_the_file_and_not_a_copy(manifest_path, own_cache):
    rows = read(manifest_path)
    first, second = (load(rows, of_split(rows, "hard"), 32, 1)["train"].pixels for _ in range(2))
    assert first.data_ptr() != second.data_ptr()  # two mappings
    assert torch.equal(first, second)
    mapped = next(entry for entry in cache.entries() if entry.about["shape"] == list(first.shape))
    assert mapped.in_use
    assert str(mapped.path) in Path("/proc/self/maps").read_text()


def test_rows_with_a_class_come_first_and_each_kind_in_file_order(shapes):
    given = [{**r, "votes": DIVIDED if i < 3 else SURE} for i, r in enumerate(shape_rows())]
    assert read(shapes(given)).where("train", "crossentropy").tolist() == [*range(3, 128), 0, 1, 2]


def folded():
    return [{**r, "fold": None if i >= 200 else i % 5} for i, r in enumerate(shape_rows())]


def test_a_fold_tests_the_next_one_chooses_and_the_others_train(shapes):
    path = shapes(folded())
    for fold in range(5):
        rows = read(path, fold=fold)
        where = of_split(rows, "crossentropy")
        assert rows.split_source == "fold"
        assert set((where["test"] % 5).tolist()) == {fold}
        assert set((where["val"] % 5).tolist()) == {(fold + 1) % 5}
        assert set((where["train"] % 5).tolist()) == set(range(5)) - {fold, (fold + 1) % 5}
        assert sorted(np.concatenate(list(where.values())).tolist()) == list(range(200))  # rows without one are out


def test_the_test_pack_of_a_fold_is_the_val_pack_of_the_fold_before(shapes, own_cache):
    path = shapes(folded())
    for fold in (0, 1):
        rows = read(path, fold=fold)
        load(rows, of_split(rows, "hard"), 32, 1)
    assert len(cache.entries()) == 5


def test_a_leak_between_folds_is_counted(shapes):
    given = folded()
    given[0]["group"] = given[1]["group"] = given[2]["group"]  # folds 0, 1 and 2
    rows = read(shapes(given), fold=0)
    where = of_split(rows, "hard")
    assert shared(rows, where["train"], where["test"]) == 1
    assert shared(rows, where["train"], where["val"]) == 1


@pytest.mark.parametrize(
    ("folds", "fold", "said", "hint"),
    [(5, 7, "no fold 7", "folds 0 to 4"), (0, 0, "has no folds", "--folds 5"), (2, 0, "2 folds", "--folds 5")],
)
def test_a_fold_that_is_not_there_is_refused_with_those_that_are(shapes, folds, fold, said, hint):
    path = shapes([{**r, "fold": i % folds if folds else None} for i, r in enumerate(shape_rows())])
    with pytest.raises(BadOption, match=said) as refused:
        read(path, fold=fold)
    assert hint in refused.value.hint


def test_statistics_of_several_pieces_are_those_of_the_whole(monkeypatch):
    pixels = torch.randint(0, 256, (50, 8, 8, 3), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    whole = statistics(pixels)
    monkeypatch.setattr("zoo.data.rows.CHUNK", 1000)
    assert statistics(pixels) == whole


def test_a_changed_image_is_trusted_only_when_that_is_said(shapes):
    rows = read(shapes([{**r, "pixel_hash": "0" * 32} if i == 5 else r for i, r in enumerate(shape_rows())]))
    where = of_split(rows, "hard")
    with pytest.raises(BrokenSource, match="made:0005"):
        load(rows, where, 32, 1)
    assert len(load(rows, where, 32, 1, trust_files=True)["train"]) == 128
