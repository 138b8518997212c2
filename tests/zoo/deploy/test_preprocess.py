"""What the net is shown later is what it has learnt from, bit by bit: whole pictures, and faces found and cut."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from ferdata import images
from ferdata.drawing import expression, paint, person, scene
from ferdata.errors import BadOption, MissingModel
from ferdata.images import decode, detectors, encode_png
from ferdata.manifest import Manifest
from ferdata.steps.align import align
from ferdata.steps.merge import merge
from tests.conftest import real_data
from tests.zoo.conftest import shape, write_shapes
from tests.zoo.untaught import untaught
from zoo.augment import apply
from zoo.data.rows import load, read_rows, recorded
from zoo.deploy.preprocess import Cutter, Preprocess, looks_with, or_any
from zoo.run import model_file
from zoo.training.train import train

HAAR = detectors.make("haar")


def faces(n, side=200):
    """Drawn faces that Haar finds exactly one of in each."""
    drawn = (paint(person(i), expression("neutral", 0.0, 0), scene(i, plain=True), side, side) for i in range(60))
    return [one for one in drawn if len(HAAR(one)) == 1][:n]


def kinds():
    """Pictures as people have them: wide, high, grey, coloured, 16 bits, smaller and larger than the net's input."""
    rng = np.random.default_rng(5)
    yield from (
        rng.integers(0, 256, size, np.uint8) for size in ((48, 48), (31, 40), (200, 133), (90, 120, 3), (64, 20, 3))
    )
    yield rng.integers(0, 1 << 16, (70, 50), np.uint16)


def manifest_of(path, pictures):
    rows = [{"native_label": "fear", "split": "train", "group": i, "pixels": p} for i, p in enumerate(pictures)]
    return write_shapes(path, rows)


def packed(path, size, channels):
    rows = read_rows(Manifest(path))
    return load(rows, {"train": rows.where("train")}, size, channels)["train"].pixels.numpy()


@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_file_becomes_bit_by_bit_what_the_pack_holds_of_it(tmp_path, channels):
    pictures = list(kinds())
    held = packed(manifest_of(tmp_path / "m.parquet", pictures), 48, channels)
    statistics = {"channels": channels, "mean": (0.5,) * channels, "std": (0.25,) * channels}
    cut = Cutter(model_file.read_meta(untaught(tmp_path / "run", **statistics) / "model.safetensors"))
    assert cut.detector is None
    for picture, pixels in zip(pictures, held, strict=True):
        (whole,) = cut(decode(encode_png(picture)))
        assert (whole.pixels == pixels).all()
        assert whole.box is None


def test_the_floats_are_those_of_a_training_batch_that_is_not_augmented(tmp_path):
    meta = model_file.read_meta(untaught(tmp_path / "run", mean=(0.43,), std=(0.21,)) / "model.safetensors")
    pixels = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (4, 48, 48, 1), np.uint8))
    by_hand = apply.normalise(apply.as_float(pixels), torch.tensor(meta.mean), torch.tensor(meta.std))
    assert torch.equal(Preprocess.of(meta).batch(pixels), by_hand)
    assert by_hand.min() < -1


@pytest.mark.parametrize("template", ["arcface", "box"])
def test_a_found_face_becomes_bit_by_bit_what_align_and_the_pack_made_of_it(tmp_path, template):
    pictures = faces(5)
    source = manifest_of(tmp_path / "m.parquet", pictures)
    done = align(source, out=tmp_path / "a.parquet", detector="haar", size=64, margin=0.1, template=template)
    held = packed(done.out, 48, 1)
    said = recorded(Manifest(done.out))
    assert said == {"size": 64, "margin": 0.1, "template": template, "detector": "haar"}
    cut = Cutter(model_file.read_meta(untaught(tmp_path / "run", alignment=said) / "model.safetensors"))
    for picture, pixels in zip(pictures, held, strict=True):
        (face,) = cut(decode(encode_png(picture)))
        assert (face.pixels == pixels).all()
        assert face.box is not None


def test_real_photographs_are_cut_upright_as_align_cuts_them(tmp_path):
    import zipfile

    folder = real_data()
    model = folder / "models" / "face_detection_yunet.onnx"
    with zipfile.ZipFile(folder / "photos.zip") as archive:
        names = [name for name in archive.namelist() if name.endswith(".jpg")][:12]
        pictures = [decode(archive.read(name)) for name in names]
    source = manifest_of(tmp_path / "m.parquet", pictures)
    done = align(source, out=tmp_path / "a.parquet", detector="yunet", model=model)
    meta = model_file.read_meta(
        untaught(tmp_path / "run", alignment=recorded(Manifest(done.out))) / "model.safetensors"
    )
    cut = Cutter(meta, model=model)
    for picture, pixels in zip(pictures, packed(done.out, 48, 1), strict=True):
        assert any((face.pixels == pixels).all() for face in cut(picture))


def test_training_records_how_its_faces_were_cut_and_so_does_a_merge(manifest_path, tmp_path):
    aligned = align(manifest_path, out=tmp_path / "a.parquet", detector="haar", size=48, template="box")
    run = train(aligned.out, tmp_path / "run", backbone="lenet5", size=48, batch=16, epochs=1, device="cpu")
    said = {"size": 48, "margin": 0.0, "template": "box", "detector": "haar"}
    assert model_file.read_meta(run.path / "model.safetensors").alignment == said
    merged = merge(aligned.out, out=tmp_path / "b.parquet")
    assert recorded(Manifest(merged.out)) == said


def test_pictures_as_published_are_recorded_as_such_and_a_mixture_as_one(tmp_path):
    plain = manifest_of(tmp_path / "m.parquet", [shape("anger", i) for i in range(3)])
    assert recorded(Manifest(plain)) is None
    one = align(plain, out=tmp_path / "one.parquet", detector="haar", size=48)
    other_rows = [{"native_label": "fear", "dataset": "other", "seed": 50 + i} for i in range(2)]
    other = write_shapes(
        tmp_path / "o.parquet", [{**r, "pixels": shape("surprise", 9)} for r in map(_seedless, other_rows)]
    )
    both = merge(one.out, other, out=tmp_path / "both.parquet")
    assert recorded(Manifest(both.out)) == {"mixed": 2}
    assert recorded(Manifest(both.out), ["other"]) is None
    assert recorded(Manifest(both.out), ["made"]) == {
        "size": 48,
        "margin": 0.0,
        "template": "arcface",
        "detector": "haar",
    }


def _seedless(row):
    return {name: value for name, value in row.items() if name != "seed"}


@pytest.fixture
def meta(tmp_path):
    return model_file.read_meta(untaught(tmp_path / "run") / "model.safetensors")


def test_who_looks_is_the_trainings_own_unless_said(meta):
    aligned = replace(meta, alignment={"size": 112, "margin": 0.0, "template": "arcface", "detector": "yunet"})
    assert looks_with(meta, None) is None
    assert looks_with(meta, "haar") == "haar"
    assert looks_with(aligned, None) == "yunet"
    assert looks_with(aligned, "none") is None
    assert or_any(aligned, None) is None  # as trained
    with pytest.raises(BadOption, match="several ways"):
        looks_with(replace(meta, alignment={"mixed": 2}), None)
    with pytest.raises(BadOption, match="cannot be 'dlib'"):
        looks_with(meta, "dlib")


def test_before_a_camera_somebody_looks_in_any_case(meta, monkeypatch, tmp_path):
    monkeypatch.delenv("FERDATA_YUNET", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert or_any(meta, None) == "haar"
    monkeypatch.setenv("FERDATA_YUNET", "face.onnx")
    assert or_any(meta, None) == "yunet"
    assert or_any(meta, "none") == "none"


def test_several_faces_are_all_cut_the_largest_first(meta):
    some = faces(8)
    both = (np.hstack([np.pad(one, ((0, 60), (0, 0), (0, 0)), mode="edge"), cv2.resize(two, (260, 260))])
            for one in some for two in some)  # fmt: skip
    found = next(cuts for picture in both if len(cuts := Cutter(meta, "haar")(picture)) == 2)
    assert found[0].box[2] > found[1].box[2]
    assert found[0].box[0] > 200 > found[1].box[0] + found[1].box[2] / 2
    assert Cutter(meta, "haar")(images.as_uint8(np.zeros((80, 80), np.uint8))) == []


def test_a_margin_shows_more_and_what_cannot_work_is_refused(meta, monkeypatch, tmp_path):
    (face,) = faces(1)
    tight, wide = (Cutter(meta, "haar", margin=m)(face)[0].pixels for m in (0.0, 0.3))
    assert not (tight == wide).all()
    for options, word in (
        ({"margin": 0.1}, "--margin is an option of the face detector"),
        ({"find": "none", "model": "m.onnx"}, "--model is an option of the face detector"),
        ({"find": "haar", "model": "m.onnx"}, "file of yunet"),
        ({"find": "haar", "margin": 5.0}, "--margin cannot be 5.0"),
    ):
        with pytest.raises(BadOption, match=word):
            Cutter(meta, **options)
    with pytest.raises(MissingModel, match="cannot be read"):
        Cutter(meta, "yunet", model=tmp_path / "gone.onnx")
