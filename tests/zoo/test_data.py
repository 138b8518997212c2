import numpy as np
import pytest
import torch

from ferdata.errors import BadOption, BrokenSource, ImagesMissing
from ferdata.images import decode
from ferdata.manifest import Manifest
from tests.zoo.conftest import shape, shape_rows, write_shapes
from zoo import data


def read(path, **more):
    return data.read_rows(Manifest(path), **more)


def test_every_split_has_its_rows_with_pixels_and_classes_in_step(manifest_path):
    rows = read(manifest_path)
    parts = data.load(rows, data.of_split(rows, "soft"), 32, 1)
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
    where = data.of_split(read(shapes(given)), "soft")
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


def test_an_image_that_no_longer_decodes_is_named(tmp_path, shapes):
    path = write_shapes(
        tmp_path / "bad.parquet", [{**r, "image": {"bytes": b"junk", "path": None}} for r in shape_rows()]
    )
    rows = read(path)
    with pytest.raises(BrokenSource, match="made:0000"):
        data.load(rows, data.of_split(rows, "hard"), 32, 1)


def test_images_that_moved_are_asked_for(tmp_path):
    gone = {"bytes": None, "path": "gone.png"}
    path = write_shapes(tmp_path / "gone.parquet", [{**r, "image": gone} for r in shape_rows()])
    rows = read(path)
    with pytest.raises(ImagesMissing):
        data.load(rows, data.of_split(rows, "hard"), 32, 1)


def test_a_picture_is_cut_to_its_middle_square_and_brought_to_size():
    wide = np.zeros((20, 60), np.uint8)
    wide[:, 20:40] = 200
    assert (data.prepare(wide, 10, 1) == 200).all()
    assert data.prepare(wide, 40, 3).shape == (40, 40, 3)


def test_colour_becomes_grey_and_grey_three_channels():
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 255
    assert int(data.prepare(red, 8, 1)[0, 0, 0]) == 76
    grey = np.full((8, 8), 7, np.uint16) << 8
    assert (data.prepare(grey, 8, 3) == 7).all()


def test_a_picture_of_the_right_size_passes_untouched():
    from ferdata.images import encode_png

    drawn = shape("anger", 3)
    assert np.array_equal(data.prepare(decode(encode_png(drawn)), 32, 1)[..., 0], drawn)


def test_statistics_are_those_of_all_pixels():
    pixels = torch.randint(0, 256, (20, 8, 8, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    mean, std = data.statistics(pixels)
    flat = pixels.double().reshape(-1, 3) / 255
    assert mean == pytest.approx(flat.mean(0).tolist())
    assert std == pytest.approx(flat.std(0, correction=0).tolist())


def test_class_weights_average_to_one_and_lift_the_rare():
    soft = torch.eye(2)[torch.tensor([0] * 90 + [1] * 10)]
    assert data.class_weights(soft, "none") is None
    for how in ("balanced", "effective"):
        weights = data.class_weights(soft, how)
        assert float((soft * weights).sum(1).mean()) == pytest.approx(1)
        assert weights[1] > weights[0]
    assert data.class_weights(soft, "balanced").tolist() == pytest.approx([100 / 180, 100 / 20])


def test_a_class_that_never_occurs_has_no_weight():
    weights = data.class_weights(torch.tensor([[1.0, 0, 0], [0, 1.0, 0]]), "balanced")
    assert weights.tolist() == pytest.approx([1, 1, 0])


def test_a_set_that_memory_cannot_hold_is_refused_before_reading(manifest_path):
    rows = read(manifest_path)
    with pytest.raises(BadOption, match="this machine has"):
        data.load(rows, data.of_split(rows, "hard"), 60_000, 3)


def test_the_size_of_the_images_decides_where_a_backbone_has_none(manifest_path):
    rows = read(manifest_path)
    assert data.natural_size(rows, rows.where("all")) == 32
    assert data.all_grey(rows, rows.where("all"))
