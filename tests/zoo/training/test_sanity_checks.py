import math

import numpy as np
import pytest
import torch

from ferdata.errors import BadOption, BrokenRun, Leak
from ferdata.manifest import Manifest
from ferdata.steps.align import align
from tests.zoo.conftest import QUICK, shape_rows
from tests.zoo.greedy import Greedy
from tests.zoo.untaught import untaught
from zoo.data.rows import of_split, read_rows
from zoo.evaluation.metrics import prior
from zoo.options.options import TrainConfig
from zoo.training import sanity_checks
from zoo.training.train import train


def checked(path, allow=False):
    rows = read_rows(Manifest(path))
    where = of_split(rows, "crossentropy")
    sanity_checks.check_splits(rows, where)
    return sanity_checks.check_leak(rows, where, allow)


def test_a_clean_manifest_passes(manifest_path):
    assert checked(manifest_path) == {"val_in_train": 0, "test_in_train": 0, "test_in_val": 0}


def test_a_group_on_both_sides_is_refused_with_the_way_out(shapes):
    rows = shape_rows()
    rows[-1]["group"] = rows[0]["group"]
    with pytest.raises(Leak, match="ferdata merge") as error:
        checked(shapes(rows))
    assert error.value.message.startswith("1 test and 0 val images")


def test_equal_pixels_are_refused_where_no_group_was_filled(shapes):
    rows = shape_rows(group=None)
    rows[-1]["shape"] = rows[0]["shape"]
    with pytest.raises(Leak, match="1 test"):
        checked(shapes(rows))


def test_a_leak_may_be_allowed_and_is_counted(shapes):
    rows = shape_rows()
    rows[-1]["group"] = rows[-2]["group"] = rows[0]["group"]
    assert checked(shapes(rows), allow=True)["test_in_train"] == 2


def test_val_and_test_sharing_is_counted_but_not_refused(shapes):
    rows = shape_rows()
    first_val = next(r for r in rows if r["split"] == "val")
    rows[-1]["group"] = first_val["group"]
    assert checked(shapes(rows))["test_in_val"] == 1


@pytest.mark.parametrize(("split", "use"), [("val", "choose"), ("test", "score"), ("train", "learn")])
def test_a_missing_split_is_refused_with_the_command_that_makes_one(shapes, split, use):
    with pytest.raises(BadOption, match=f"no {split} split to {use}") as error:
        checked(shapes([r for r in shape_rows() if r["split"] != split]))
    assert "--split" in error.value.hint


def test_one_class_only_is_refused(shapes):
    rows = [{**r, "native_label": "happiness"} for r in shape_rows()]
    with pytest.raises(BadOption, match="one class only"):
        checked(shapes(rows))


def test_pixels_that_were_scaled_twice_are_caught():
    images = torch.randn(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    sanity_checks.check_scale(images)
    sanity_checks.check_scale(images * 0.4)  # flat faces, normalised by published weights' 0.5 and 0.5
    with pytest.raises(BadOption, match="scaled twice"):
        sanity_checks.check_scale(images / 255)
    with pytest.raises(BadOption):
        sanity_checks.check_scale(images * 255)
    (note,) = sanity_checks.check_scale(images / 255, allow=True)
    assert f"standard deviation {float(images.std()) / 255:.4f}" in note
    with pytest.raises(BadOption):
        sanity_checks.check_scale(images * math.nan, allow=True)


def test_a_loss_that_is_no_number_stops_the_run():
    sanity_checks.check_loss(1.0, 1)
    for loss in (math.nan, math.inf):
        with pytest.raises(BrokenRun, match="epoch 3"):
            sanity_checks.check_loss(loss, 3)
    with pytest.raises(BrokenRun) as first:
        sanity_checks.check_loss(math.nan, 1)
    assert "so far is kept" not in first.value.hint  # there is none yet


def test_the_prior_of_fer2013_is_the_famous_24_percent():
    counts = [3995, 436, 4097, 7215, 4830, 3171, 4965]
    found = prior(torch.repeat_interleave(torch.arange(7), torch.tensor(counts)), 7)
    assert found["majority_share"] == pytest.approx(0.2513, abs=1e-4)
    assert found["prior_entropy"] == pytest.approx(1.8096, abs=1e-3)


def test_a_net_that_answers_with_the_prior_is_stopped_after_two_epochs():
    baseline = {"majority_share": 0.2513, "prior_entropy": 1.810}
    spread = np.random.default_rng(0).random((50, 7)).astype(np.float32)
    seen = [sanity_checks.is_prior(0.2494, 1.8115, spread, baseline)]  # a real log's figures
    sanity_checks.check_collapse(seen, 0.2494, 1.8115, baseline)
    seen.append(sanity_checks.is_prior(0.2461, 1.8113, spread, baseline))
    with pytest.raises(BrokenRun, match="scaled twice"):
        sanity_checks.check_collapse(seen, 0.2461, 1.8113, baseline)


def test_a_net_that_says_the_same_of_every_picture_is_found_whatever_its_loss():
    same = np.tile(np.float32([0.5, 0.3, 0.2]), (10, 1))
    assert sanity_checks.is_prior(0.1, 9.9, same, {"majority_share": 0.4, "prior_entropy": 1.0})


def test_a_net_that_learns_is_let_be():
    baseline = {"majority_share": 0.25, "prior_entropy": 1.81}
    spread = np.random.default_rng(0).random((50, 7)).astype(np.float32)
    # Better in accuracy or in loss is enough, and no more than a point and two hundredths of a nat is the same.
    for accuracy, loss in ((0.41, 1.52), (0.41, 1.81), (0.25, 1.52), (0.262, 1.81), (0.25, 1.785)):
        assert not sanity_checks.is_prior(accuracy, loss, spread, baseline)
    assert sanity_checks.is_prior(0.258, 1.825, spread, baseline)
    sanity_checks.check_collapse([False] * 5, 0.41, 1.52, baseline)


def found(path):
    rows = read_rows(Manifest(path))
    return rows, of_split(rows, "crossentropy")


def test_a_class_that_only_test_has_is_refused_by_name_and_count(shapes):
    rows = [r for r in shape_rows() if r["split"] != "train" or r["native_label"] != "anger"]
    with pytest.raises(BadOption, match=r"no image of anger \(10 in val, 12 in test\)") as error:
        sanity_checks.check_classes(*found(shapes(rows)))
    assert "ferdata split" in error.value.hint


def test_labels_of_train_that_a_net_proposed_are_counted(shapes):
    rows = shape_rows()
    assert sanity_checks.check_proposals(*found(shapes(rows))) == []
    for row in [r for r in rows if r["split"] == "train"][:3]:
        row["proposed_label"] = "sadness"
    (note,) = sanity_checks.check_proposals(*found(shapes(rows)))
    assert note.startswith(f"3 of {sum(r['split'] == 'train' for r in rows)} train labels")


def boxed(rows, box, n=None):
    """Return the rows with a face box in the first `n` of them, or all; the pictures are of 32 pixels."""
    return [{**row, "face_box": box} if n is None or i < n else row for i, row in enumerate(rows)]


@pytest.mark.parametrize("box", [[2.0, 2.0, 12.0, 12.0], [0.0, 0.0, 15.0, 15.0]])
def test_scenes_are_refused_with_the_command_that_cuts_out_the_faces(shapes, box):
    path = shapes(boxed(shape_rows(), box))
    with pytest.raises(BadOption, match="216 of 216 images are scenes") as error:
        sanity_checks.check_scenes(*found(path))
    assert f"ferdata align {path} -o aligned.parquet" in error.value.hint
    assert align(path, out=path.with_name("aligned.parquet"), detector="published", size=32).rows == 216
    assert sanity_checks.check_scenes(*found(path.with_name("aligned.parquet"))) == []


def test_two_faces_of_one_photograph_are_scenes_whatever_their_size(shapes):
    rows = shape_rows()
    for one, other in zip(rows[::2], rows[1::2], strict=True):
        one["face_box"], other["face_box"] = [0.0, 0.0, 16.0, 32.0], [16.0, 0.0, 16.0, 32.0]
        other |= {"shape": one["shape"], "split": one["split"]}
    with pytest.raises(BadOption, match="scenes"):
        sanity_checks.check_scenes(*found(shapes(rows)))


@pytest.mark.parametrize("box", [None, [0.0, 0.0, 32.0, 32.0], [4.0, 4.0, 24.0, 24.0]])
def test_faces_that_fill_their_pictures_pass(shapes, box):
    assert sanity_checks.check_scenes(*found(shapes(boxed(shape_rows(), box)))) == []


def test_a_few_scenes_among_many_faces_are_said(shapes):
    (said,) = sanity_checks.check_scenes(*found(shapes(boxed(shape_rows(), [2.0, 2.0, 12.0, 12.0], 10))))
    assert said.startswith("10 of 216 images are scenes")
    assert "ferdata align" in said


def test_a_dry_run_on_scenes_does_not_say_that_everything_checks_out(shapes, tmp_path):
    with pytest.raises(BadOption, match="scenes"):
        train(shapes(boxed(shape_rows(), [2.0, 2.0, 12.0, 12.0])), tmp_path / "run", **QUICK, dry_run=True)


def test_classes_that_nobody_has_are_said(manifest_path):
    assert sanity_checks.check_classes(*found(manifest_path)) == [
        "No image of sadness, disgust, fear, contempt in any split: the net will never say it."
    ]


def test_a_val_too_small_to_choose_on_is_refused_and_a_small_one_said_with_its_interval(manifest_path):
    rows = read_rows(Manifest(manifest_path))
    assert sanity_checks.check_val(rows, 385, "accuracy") == []
    assert sanity_checks.check_val(rows, 40, "accuracy")[0].startswith(
        "Val has 40 images, so that an accuracy on it is known to about 15 points"
    )
    with pytest.raises(BadOption, match="about 22 points") as error:
        sanity_checks.check_val(rows, 19, "accuracy")
    assert "--select last" in error.value.hint
    assert sanity_checks.check_val(rows, 19, "last") == []


def test_memory_that_is_not_enough_names_the_batch_and_what_to_try():
    config = TrainConfig(size=48, device="cpu", precision="32-true")
    with pytest.raises(BadOption, match="batch of 128 images of 48 px") as error, sanity_checks.memory(config):
        torch.empty(1 << 50)  # a petabyte: the allocator's own error
    assert "--batch 64 --set accumulate=2" in error.value.hint
    with pytest.raises(RuntimeError, match="something else"), sanity_checks.memory(config):
        raise RuntimeError("something else")


GREEDY = {**QUICK, "epochs": 1, "backbone": "greedy", "precision": "32-true", "select": "last"}
LEARNT = r"batch of 16 images of 32 px .*\nTry --batch 8 --set accumulate=2"
BEGUN = r"for greedy at 32 px and the images that it learns from.\nTry a smaller --size than 32 or a smaller --backbone"
SCORED = r"to score a single image of 32 px.\nEnd other programs, .* a smaller --size than 32"
RECALIBRATED = r"to estimate statistics on batches of 16 images of 32 px.\nTry --batch 8 .*--norm frozen"


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize(("limit", "words"), [("learns", LEARNT), ("scores", SCORED), ("fits", BEGUN)])
def test_training_that_memory_does_not_hold_says_where_it_was_and_what_to_try_there(
    manifest_path, tmp_path, monkeypatch, limit, words, dry_run
):
    monkeypatch.setattr(Greedy, limit, 0)
    with pytest.raises(BadOption, match=words) as error:
        train(manifest_path, tmp_path / "run", **GREEDY, dry_run=dry_run)
    assert ("--batch" in str(error.value)) == (limit == "learns")


def test_recalibrating_has_its_own_words(manifest_path, tmp_path, monkeypatch):
    first = untaught(tmp_path / "first", manifest_path, "greedy", size=32)
    monkeypatch.setattr(Greedy, "scores", 15)
    with pytest.raises(BadOption, match=RECALIBRATED):
        train(manifest_path, tmp_path / "run", **GREEDY, init=first, norm="recalibrate")


def test_a_run_whose_scoring_is_halved_comes_to_the_same_answers(manifest_path, tmp_path, monkeypatch):
    whole = train(manifest_path, tmp_path / "whole", **GREEDY)
    monkeypatch.setattr(Greedy, "scores", 7)
    halved = train(manifest_path, tmp_path / "halved", **GREEDY)
    assert halved.report["confusion"] == whole.report["confusion"]
    assert halved.report["log_loss"] == pytest.approx(whole.report["log_loss"], abs=1e-5)


def test_memory_that_ends_after_the_last_epoch_costs_no_weights(manifest_path, tmp_path, monkeypatch):
    def build(*_, **__):
        raise MemoryError

    monkeypatch.setattr("zoo.evaluation.report.build", build)
    with pytest.raises(BadOption, match="to score test and write the report") as error:
        train(manifest_path, tmp_path / "run", **GREEDY)
    assert f"ferdata evaluate {tmp_path / 'run'} --device cpu" in error.value.hint
    assert (tmp_path / "run" / "model.safetensors").is_file()


def test_a_checkpoint_that_memory_does_not_hold_is_not_called_broken(manifest_path, tmp_path, monkeypatch):
    def stop(line):
        if line.startswith("epoch   1"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(manifest_path, tmp_path / "run", **{**GREEDY, "epochs": 3}, say=stop)
    monkeypatch.setattr(Greedy, "loads", False)
    with pytest.raises(BadOption, match=BEGUN):
        train(manifest_path, tmp_path / "run", resume=True)
    monkeypatch.setattr(torch, "load", lambda *_, **__: torch.empty(1 << 50))
    with pytest.raises(BadOption, match=r"not enough to read .*last.ckpt"):
        train(manifest_path, tmp_path / "run", resume=True)


def test_a_scale_that_is_off_is_found_in_a_run_that_begins_with_anothers_mean(shapes, trained, tmp_path):
    """The double rescale: pictures divided by 255 before they are stored, and normalised once more."""
    rows = shape_rows()
    for i, row in enumerate(rows):
        row["pixels"] = np.random.default_rng(i).integers(0, 2, (32, 32)).astype(np.uint8)
    path = shapes(rows)
    with pytest.raises(BadOption, match="scaled twice"):
        train(path, tmp_path / "run", **QUICK, init=trained.path)
    assert not (tmp_path / "run").exists()
