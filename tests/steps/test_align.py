"""Align: every row stays, cut to its face, with how it was cut; the same with any number of threads, or in two goes."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ferdata import images, manifest
from ferdata.drawing import expression, landmarks, paint, person, scene
from ferdata.duplicates.label_conflicts import PICTURE_BY, pictures
from ferdata.errors import AlreadyExists, BadOption, ImagesMissing, InvalidManifest, MissingModel
from ferdata.images import alignment, detectors
from ferdata.images.alignment import Aim
from ferdata.manifest import Manifest
from ferdata.schema import arrow_schema
from ferdata.steps.align import align
from ferdata.steps.ingest import ingest
from ferdata.steps.merge import merge
from ferdata.steps.share import share
from ferdata.steps.validate import validate
from tests.conftest import MakeManifest, Ran, make_rows, metadata_of, picture, real_data


@pytest.fixture(autouse=True)
def _no_model_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(detectors.MODEL_VARIABLE, raising=False)


def write(path: Path, pixels: list[np.ndarray], **columns: list) -> Path:
    """Write a manifest of these pictures."""
    rows = []
    for i, image in enumerate(pixels):
        facts = images.measure(image)
        given = {name: getattr(facts, name) for name in images.Facts.__slots__}
        given |= {"image": {"bytes": images.encode_png(image), "path": None}}
        rows.append(given | {name: values[i] for name, values in columns.items()})
    batch = make_rows(rows)
    manifest.write(path, [batch], metadata_of(batch))
    return path


def drawn(path: Path, n: int = 6, size: tuple[int, int] = (160, 120)) -> Path:
    """Write a manifest of drawn faces with their 68 points."""
    faces = [(person(i), expression("happiness", 1.0, i), scene(i)) for i in range(n)]
    points = [[float(v) for v in landmarks(*face, *size).ravel()] for face in faces]
    return write(path, [paint(*face, *size) for face in faces], landmarks=points)


def rows_of(path: Path) -> list[dict]:
    return [row for batch in Manifest(path).batches() for row in batch.to_pylist()]


def test_drawn_faces_lie_on_the_template_and_each_row_says_how_it_was_cut(tmp_path: Path) -> None:
    before = rows_of(drawn(tmp_path / "m.parquet"))
    done = align(tmp_path / "m.parquet", out=tmp_path / "a.parquet", size=112)
    assert (done.rows, done.found, done.issues, done.fallback) == (6, {"published": 6}, {}, "haar")
    assert validate(done.out, images=True) == 6
    for old, new in zip(before, rows_of(done.out), strict=True):
        record = new["alignment"]
        crop, source = images.decode(new["image"]["bytes"]), images.decode(old["image"]["bytes"])
        assert crop.shape == (112, 112, 3)
        assert (new["width"], new["height"], new["mode"]) == (112, 112, "RGB")
        assert record["landmarks"] == old["landmarks"]
        transform = np.array(record["transform"]).reshape(2, 3)
        again = alignment.warp(source, transform, 112).astype(int)
        assert np.abs(again - crop).max() <= 8  # the record has 32 bits a number
        placed = np.array(new["landmarks"]).reshape(-1, 2)
        assert np.abs(placed - alignment.apply(transform, np.array(old["landmarks"]).reshape(-1, 2))).max() < 0.01
        five = alignment.five_points(placed)
        assert np.abs(five[:2].mean(0) - alignment.ARCFACE[:2].mean(0)).max() < 5
        assert (new["pixel_hash"], record["pixel_hash"]) == (old["pixel_hash"], images.pixel_hash(crop))
        assert new["label"] == old["label"]


def test_a_published_box_is_cut_and_several_faces_of_one_photograph_stay_several_pictures(tmp_path: Path) -> None:
    photograph = picture(1, 96)
    boxes = [[0.0, 0.0, 40.0, 40.0], [50.0, 50.0, 40.0, 40.0]]
    made = write(tmp_path / "m.parquet", [photograph, photograph], face_box=boxes)
    done = align(made, out=tmp_path / "a.parquet", size=40)
    one, other = rows_of(done.out)
    assert (images.decode(one["image"]["bytes"]) == photograph[:40, :40]).all()
    assert (images.decode(other["image"]["bytes"]) == photograph[50:90, 50:90]).all()
    assert one["face_box"] == other["face_box"] == [0.0, 0.0, 40.0, 40.0]
    assert one["pixel_hash"] == other["pixel_hash"]
    assert other["alignment"]["box"] == boxes[1]
    assert pictures(Manifest(done.out).table(*PICTURE_BY)).tolist() == [0, 1]


def test_no_face_is_kept_whole_counted_and_named_beside_earlier_issues(tmp_path: Path) -> None:
    made = write(tmp_path / "m.parquet", [picture(1), picture(2)], issues=[None, ["blurred"]])
    done = align(made, out=tmp_path / "a.parquet", detector="haar", size=48)
    assert (done.rows, done.found, done.issues) == (2, {}, {"no_face": 2})
    kept = rows_of(done.out)
    assert [row["issues"] for row in kept] == [["no_face"], ["blurred", "no_face"]]
    assert (images.decode(kept[0]["image"]["bytes"]) == picture(1)).all()
    assert Manifest(done.out).metadata["lineage"][0]["issues"] == {"no_face": 2}
    assert validate(done.out, images=True) == 2


def test_an_interrupted_align_goes_on_with_resume_and_gives_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = drawn(tmp_path / "m.parquet", 300, (32, 32))
    whole = align(made, out=tmp_path / "whole.parquet", size=32)
    cut, calls = alignment.align, 0

    def stop(*given):
        nonlocal calls
        calls += 1
        if calls == 200:
            raise KeyboardInterrupt
        return cut(*given)

    monkeypatch.setattr(alignment, "align", stop)
    with pytest.raises(KeyboardInterrupt, match="--resume"):
        align(made, out=tmp_path / "a.parquet", size=32, workers=1)
    assert not (tmp_path / "a.parquet").exists()
    with pytest.raises(BadOption, match="other options"):
        align(made, out=tmp_path / "a.parquet", size=48, resume=True)
    calls = 10_000
    done = align(made, out=tmp_path / "a.parquet", size=32, resume=True, workers=1)
    assert 10_000 < calls < 10_300
    assert (done.fingerprint, done.found, done.rows) == (whole.fingerprint, whole.found, 300)
    assert [p.name for p in tmp_path.glob(".a*")] == []


@pytest.mark.parametrize("detector", ["published", "haar"])
def test_one_worker_and_three_give_the_same(tmp_path: Path, detector: str) -> None:
    made = drawn(tmp_path / "m.parquet", 200, (48, 48))
    done = [
        align(made, out=tmp_path / f"{n}.parquet", detector=detector, size=48, workers=n).fingerprint for n in (1, 3)
    ]
    assert done[0] == done[1]


def test_photographs_with_yunet_have_all_their_faces_and_two_threads_find_the_same(tmp_path: Path) -> None:
    data = real_data()
    made = ingest("muxspace", root=data / "photos.zip", out=tmp_path / "m.parquet")
    model = data / "models" / detectors.MODEL_NAME
    done = [align(made.out, out=tmp_path / f"{n}.parquet", detector="yunet", model=model, workers=n) for n in (1, 2)]
    assert done[0].fingerprint == done[1].fingerprint
    assert (done[0].rows, done[0].found) == (400, {"yunet": 400})
    assert validate(done[1].out, images=True) == 400
    off = [
        np.array(row["landmarks"]).reshape(5, 2)[:2] - alignment.template_points(Aim())[:2]
        for row in Manifest(done[0].out).table("landmarks").to_pylist()
    ]
    assert np.median(np.abs(off)) < 2
    assert align(made.out, out=tmp_path / "p.parquet", model=model).fallback == "yunet"


def test_the_model_is_found_by_environment_and_a_wrong_one_stops_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ferdata, make_manifest: MakeManifest
) -> None:
    made = make_manifest({"native_label": "happiness"})
    out = tmp_path / "a.parquet"
    monkeypatch.setattr(detectors, "MODEL_URL", "http://127.0.0.1:9/yunet.onnx")  # where nobody answers
    with pytest.raises(MissingModel, match="not found"):
        align(made, out=out, detector="yunet")
    (tmp_path / "wrong.onnx").write_bytes(b"no model")
    ran: Ran = ferdata("align", made, "-o", out, "--detector", "yunet", "--model", tmp_path / "wrong.onnx")
    assert ran.code == 1
    assert "not the known YuNet model" in ran.err
    assert detectors.MODEL_URL in ran.err
    monkeypatch.setenv(detectors.MODEL_VARIABLE, str(tmp_path / "wrong.onnx"))
    with pytest.raises(MissingModel, match="not the known"):
        align(made, out=out)  # a file that is named is not passed over for Haar
    assert not out.exists()


def test_options_that_cannot_work_are_refused(tmp_path: Path, make_manifest: MakeManifest) -> None:
    made = make_manifest({"native_label": "happiness"})
    for wrong in ({"size": 5}, {"margin": 3.0}, {"template": "oval"}, {"detector": "retina"}):
        with pytest.raises(BadOption, match=str(next(iter(wrong.values())))):
            align(made, out=tmp_path / "a.parquet", **wrong)
    with pytest.raises(BadOption, match="for YuNet"):
        align(made, out=tmp_path / "a.parquet", detector="haar", model="x.onnx")
    with pytest.raises(AlreadyExists, match="never modified"):
        align(made, out=made, force=True)


def test_crops_are_not_cut_again_nor_promised_by_a_shared_file(tmp_path: Path, make_manifest: MakeManifest) -> None:
    done = align(make_manifest({"native_label": "happiness"}), out=tmp_path / "a.parquet")
    with pytest.raises(BadOption, match="already aligned"):
        align(done.out, out=tmp_path / "b.parquet")
    with pytest.raises(BadOption, match="before align"):
        share(done.out, out=tmp_path / "r.json")


def spoilt(tmp_path: Path, n: int = 6) -> Path:
    """Ingest n pictures, one of which nobody could read, and spoil three that could be read."""
    data = tmp_path / "data" / "joy"
    data.mkdir(parents=True)
    for i in range(n):
        (data / f"{i}.png").write_bytes(images.encode_png(picture(i)))
    (data / "never.png").write_bytes(b"")
    made = ingest("folder", root=tmp_path / "data", out=tmp_path / "m.parquet")
    (data / "1.png").write_bytes(images.encode_png(picture(99)))
    (data / "2.png").write_bytes(b"")
    (data / "3.png").unlink()
    return made.out


def test_a_picture_that_cannot_be_read_any_more_is_rejected_by_reason_and_the_rest_goes_on(
    tmp_path: Path, ferdata
) -> None:
    made = spoilt(tmp_path)
    done = align(made, out=tmp_path / "a.parquet", size=48)
    assert [row["sample_id"] for row in rows_of(done.out)] == [f"folder:joy/{i}.png" for i in (0, 4, 5)]
    assert validate(done.out, images=True) == done.rows == 3
    assert done.rejected == {"changed since ingest": 1, "broken image": 1, "missing file": 1}
    rejects = {r["path"]: (r["reason"], r["detail"]) for r in pq.read_table(done.rejects).to_pylist()}
    assert rejects == {
        "joy/1.png": ("changed since ingest", "not the picture that was ingested"),
        "joy/2.png": ("broken image", "empty file"),
        "joy/3.png": ("missing file", ""),
        "joy/never.png": ("broken image", "empty file"),  # as ingest told
    }
    record = Manifest(done.out).metadata["lineage"][0]
    assert record["rows_in"] == record["rows_out"] + sum(record["dropped"].values()) == 6
    ran: Ran = ferdata("align", made, "-o", tmp_path / "b.parquet")
    assert ran.code == 0, ran
    assert "1 changed since ingest" in ran.out
    assert str(tmp_path / "b.rejects.parquet") in ran.out


def test_rejects_of_an_align_are_the_same_with_any_number_of_workers_and_in_two_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = spoilt(tmp_path, 200)
    done = [align(made, out=tmp_path / f"{n}.parquet", size=32, workers=n) for n in (1, 3)]
    assert done[0].fingerprint == done[1].fingerprint
    cut, calls = alignment.align, 0

    def stop(*given):
        nonlocal calls
        calls += 1
        if calls == 150:
            raise KeyboardInterrupt
        return cut(*given)

    monkeypatch.setattr(alignment, "align", stop)
    with pytest.raises(KeyboardInterrupt, match="--resume"):
        align(made, out=tmp_path / "r.parquet", size=32, workers=1)
    again = align(made, out=tmp_path / "r.parquet", size=32, workers=1, resume=True)
    assert (again.fingerprint, again.rejected) == (done[0].fingerprint, done[0].rejected)
    assert pq.read_table(again.rejects).equals(pq.read_table(done[0].rejects))


def test_where_no_picture_can_be_read_there_is_no_aligned_manifest_and_where_the_root_is_gone_it_is_told(
    tmp_path: Path,
) -> None:
    made = spoilt(tmp_path, 4)
    for path in (tmp_path / "data" / "joy").iterdir():
        path.write_bytes(b"gone")
    with pytest.raises(InvalidManifest, match=r"3 x broken image, 1 x missing file.*joy/0\.png"):
        align(made, out=tmp_path / "a.parquet")
    (tmp_path / "data").rename(tmp_path / "moved")
    with pytest.raises(ImagesMissing, match="FERDATA_ROOT_FOLDER"):
        align(made, out=tmp_path / "a.parquet")
    assert list(tmp_path.glob("a.*")) == []


def test_aligned_manifests_merge_and_a_picture_and_its_crop_are_one_group(tmp_path: Path) -> None:
    made = drawn(tmp_path / "m.parquet", 4)
    done = align(made, out=tmp_path / "a.parquet")
    whole = merge(done.out, out=tmp_path / "merged.parquet")
    assert validate(whole.out, images=True) == 4
    table = pa.concat_tables([Manifest(p).table("pixel_hash") for p in (made, done.out)])
    assert len(table["pixel_hash"].unique()) == 4


def test_a_crop_that_was_changed_breaks_a_rule(tmp_path: Path) -> None:
    done = align(drawn(tmp_path / "m.parquet", 2), out=tmp_path / "a.parquet")
    table = pa.Table.from_batches(list(Manifest(done.out).batches()))
    rows = table.to_pylist()
    rows[1]["image"]["bytes"] = rows[0]["image"]["bytes"]
    rows[0]["alignment"]["transform"] = [1.0]
    broken = pa.RecordBatch.from_pylist(rows, schema=arrow_schema())
    manifest.write(tmp_path / "b.parquet", [broken], Manifest(done.out).metadata)
    with pytest.raises(InvalidManifest, match=r"(?s)6 values.*not the one that was ingested"):
        validate(tmp_path / "b.parquet", images=True)


def test_the_command_says_what_it_found(ferdata, tmp_path: Path) -> None:
    ran: Ran = ferdata("align", drawn(tmp_path / "m.parquet", 3), "-o", tmp_path / "a.parquet", "--size", "64")
    assert ran.code == 0, ran
    assert "3 published" in ran.out
    assert "haar, where the dataset gives no landmarks" in ran.out
    assert "64 x 64" in ran.out
