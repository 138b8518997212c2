"""What the contract does not say of the Hub's forms: whole ways round, single files, tars, and broken ones."""

import json

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from ferdata.errors import BadOption, BrokenSource, NotThisDataset, UnknownLabel
from ferdata.manifest import Manifest
from ferdata.steps.ingest import ingest
from ferdata.steps.merge import merge
from tests import fakes
from tests.fakes import ferplus
from tests.fakes.hf import NAMES, encoded, features, shard, tar, webdataset


def ingested(tmp_path, root, **options):
    return ingest("hf", root=root, out=tmp_path / "hf.parquet", workers=1, **options)


def columns(path, *names):
    return Manifest(path).table(*names).to_pylist()


class TestAWayRound:
    """A manifest with its pictures, written by `datasets`, comes back with the same pixels, labels and splits."""

    @pytest.fixture
    def source(self, tmp_path):
        (tmp_path / "ferplus").mkdir()
        next(iter(ferplus.LAYOUTS.values()))(tmp_path / "ferplus")
        made = ingest("ferplus", root=tmp_path / "ferplus", out=tmp_path / "m.parquet", images="embed", workers=1)
        return merge(made.out, out=tmp_path / "merged.parquet").out

    @pytest.mark.slow
    def test_by_datasets(self, source, tmp_path):
        import datasets

        before = columns(source, "pixel_hash", "label", "split")
        whole = datasets.Dataset.from_parquet(str(source), cache_dir=str(tmp_path / "cache"))
        whole = whole.filter(lambda row: row["label"] is not None)
        whole = whole.select_columns(["image", "label", "split"]).class_encode_column("label")
        for split in ("train", "val", "test"):
            rows = whole.filter(lambda row, split=split: row["split"] == split).select_columns(["image", "label"])
            (tmp_path / "hub").mkdir(exist_ok=True)
            rows.to_parquet(tmp_path / "hub" / f"{split}-00000-of-00001.parquet")
        done = ingested(tmp_path, tmp_path / "hub")
        after = columns(done.out, "pixel_hash", "label", "official_split")
        assert sorted((r["pixel_hash"], r["label"], r["official_split"]) for r in after) == sorted(
            (r["pixel_hash"], r["label"], r["split"]) for r in before if r["label"] and r["split"]
        )
        again = datasets.Dataset.from_parquet(str(done.out), cache_dir=str(tmp_path / "cache"))
        assert again.features["image"] == datasets.Image()
        assert again[0]["image"].size == (48, 48)


def test_pictures_keep_the_bytes_that_the_shard_holds(tmp_path):
    shard(tmp_path / "d" / "train.parquet", [(encoded(1, ".jpg"), 3), (encoded(2), 0)])
    done = ingested(tmp_path, tmp_path / "d")
    stored = columns(done.out, "image", "label", "official_split")
    assert [row["image"]["bytes"] for row in stored] == [encoded(1, ".jpg"), encoded(2)]
    assert [(row["label"], row["official_split"]) for row in stored] == [("happiness", "train"), ("anger", "train")]


def test_a_shard_is_no_file_that_nothing_was_made_of(tmp_path):
    shard(tmp_path / "d" / "train.parquet", [(encoded(1), 3)])
    (tmp_path / "d" / "notes.txt").write_text("about it")
    assert ingested(tmp_path, tmp_path / "d").others == {".txt": 1}


def test_a_single_file_is_the_root_of_a_dataset(tmp_path):
    shard(tmp_path / "d" / "test-00000-of-00001.parquet", [(encoded(1), 3)])
    shard(tmp_path / "d" / "train-00000-of-00001.parquet", [(encoded(2), 3)])
    done = ingested(tmp_path, tmp_path / "d" / "test-00000-of-00001.parquet")
    assert [row["sample_id"] for row in columns(done.out, "sample_id")] == ["hf:test-00000-of-00001/000000"]
    assert sorted(p.name for p in (tmp_path / "d").iterdir()) == [
        "test-00000-of-00001.parquet",
        "train-00000-of-00001.parquet",
    ]


def test_the_converted_branch_has_its_splits_in_folders(tmp_path):
    for split in ("train", "test"):
        shard(tmp_path / "d" / "default" / split / "0000.parquet", [(encoded(len(split)), 3)])
    done = ingested(tmp_path, tmp_path / "d")
    assert [row["official_split"] for row in columns(done.out, "official_split")] == ["test", "train"]


def test_binary_pictures_and_labels_as_text_need_no_metadata(tmp_path):
    table = pa.table({"img_bytes": [encoded(1), encoded(2)], "emotion": ["Happy", " sad "], "id": [1, 2]})
    (tmp_path / "d").mkdir()
    pq.write_table(table, tmp_path / "d" / "some.parquet")
    done = ingested(tmp_path, tmp_path / "d")
    assert [row["label"] for row in columns(done.out, "label")] == ["happiness", "sadness"]
    assert "labels in 'emotion'" in done.note
    assert "Not used: id." in done.note
    assert "Without a split, by name: some.parquet." in done.note


def test_tars_are_read_with_the_codes_named_by_their_list(tmp_path):
    (tmp_path / "loose").mkdir()
    expected = webdataset(tmp_path / "loose")
    (tmp_path / "d").mkdir()
    for folder in sorted(p for p in (tmp_path / "loose").iterdir() if p.is_dir() and p.name != "__MACOSX"):
        tar(tmp_path / "d" / f"{folder.name}.tar", folder)
    (tmp_path / "d" / "classnames.txt").write_text("\n".join(NAMES))
    done = ingested(tmp_path, tmp_path / "d")
    rows = columns(done.out, "official_split", "native_label", "image")
    assert fakes.Cells((row["official_split"], row["native_label"]) for row in rows) == expected.counts
    assert all(row["image"]["bytes"] for row in rows)
    assert done.rejected == {"a second picture with the key train-00000/000000": 1}


class TestRefused:
    def test_codes_without_names_ask_for_a_map_and_take_it(self, tmp_path):
        shard(tmp_path / "d" / "train.parquet", [(encoded(1), 3), (encoded(2), 0)], features(None))
        with pytest.raises(UnknownLabel, match=r"'0' \(1 rows\), '3' \(1 rows\)"):
            ingested(tmp_path, tmp_path / "d")
        (tmp_path / "map.toml").write_text('[labels]\n0 = "anger"\n3 = "happiness"\n')
        done = ingested(tmp_path, tmp_path / "d", labels=str(tmp_path / "map.toml"))
        assert [row["label"] for row in columns(done.out, "label")] == ["happiness", "anger"]

    def test_a_label_outside_its_names_is_named_with_its_row(self, tmp_path):
        shard(tmp_path / "d" / "train.parquet", [(encoded(1), 3), (encoded(2), 7)])
        with pytest.raises(BrokenSource, match=r"train.parquet, row 1: label 7 is not one of the 7 classes"):
            ingested(tmp_path, tmp_path / "d")

    def test_shards_of_two_schemas(self, tmp_path):
        shard(tmp_path / "d" / "train.parquet", [(encoded(1), 3)])
        shard(tmp_path / "d" / "test.parquet", [(encoded(2), 3)], features(NAMES[::-1]))
        with pytest.raises(BrokenSource, match="have different schemas"):
            ingested(tmp_path, tmp_path / "d")

    def test_a_parquet_without_pictures_is_told_what_it_holds(self, tmp_path):
        (tmp_path / "d").mkdir()
        pq.write_table(pa.table({"user": [1], "text": ["a"]}), tmp_path / "d" / "train.parquet")
        with pytest.raises(NotThisDataset, match=r"user \(int64\), text \(string\)"):
            ingested(tmp_path, tmp_path / "d")

    def test_a_manifest_of_ours_is_known_for_one(self, tmp_path, make_manifest):
        path = make_manifest({"native_label": "anger"})
        with pytest.raises(NotThisDataset, match="is already a ferdata manifest") as caught:
            ingested(tmp_path, path)
        assert caught.value.hint.endswith(f"ferdata show {path}")

    def test_half_a_shard(self, tmp_path):
        shard(tmp_path / "d" / "train.parquet", [(encoded(i), 3) for i in range(40)])
        path = tmp_path / "d" / "train.parquet"
        path.write_bytes(path.read_bytes()[:-400])
        with pytest.raises(BrokenSource, match=r"train.parquet is not a Parquet file"):
            ingested(tmp_path, tmp_path / "d")

    def test_a_name_of_two_splits(self, tmp_path):
        shard(tmp_path / "d" / "train" / "test-00000-of-00001.parquet", [(encoded(1), 3)])
        with pytest.raises(BrokenSource, match="two splits"):
            ingested(tmp_path, tmp_path / "d")

    def test_a_column_that_is_not_there(self, tmp_path):
        shard(tmp_path / "d" / "train.parquet", [(encoded(1), 3)])
        for option in ("image_column", "label_column"):
            with pytest.raises(BadOption, match="image"):
                ingested(tmp_path, tmp_path / "d", **{option: "face"})

    def test_metadata_that_leads_out(self, tmp_path):
        (tmp_path / "d").mkdir()
        (tmp_path / "d" / "metadata.jsonl").write_text(json.dumps({"file_name": "../x.png", "label": "happy"}) + "\n")
        with pytest.raises(BrokenSource, match=r"metadata.jsonl, line 1: .* leads out"):
            ingested(tmp_path, tmp_path / "d")

    def test_metadata_that_is_no_json(self, tmp_path):
        (tmp_path / "d").mkdir()
        good = json.dumps({"file_name": "x.png", "label": "happy"})
        (tmp_path / "d" / "metadata.jsonl").write_text(f"{good}\n{good[:-4]}\n")
        with pytest.raises(BrokenSource, match=r"metadata.jsonl, line 2"):
            ingested(tmp_path, tmp_path / "d")


def test_the_row_of_a_null_picture_is_counted_and_named(tmp_path):
    shard(tmp_path / "d" / "train.parquet", [(None, 3), (encoded(2), 0)])
    done = ingested(tmp_path, tmp_path / "d")
    assert done.rejected == {"no picture in the row": 1}
    rejects = pq.read_table(done.rejects)
    assert rejects.filter(pc.equal(rejects["reason"], "no picture in the row"))["sample_id"].to_pylist() == [
        "hf:train/000000"
    ]


def test_a_picture_that_does_not_decode_is_rejected_by_its_key(tmp_path):
    shard(tmp_path / "d" / "train.parquet", [(b"no picture", 3), (encoded(2)[:200], 3), (encoded(3), 0)])
    done = ingested(tmp_path, tmp_path / "d")
    assert done.rows == 1
    assert sum(done.rejected.values()) == 2
    assert {row["path"] for row in pq.read_table(done.rejects).to_pylist()} == {"train/000000", "train/000001"}
