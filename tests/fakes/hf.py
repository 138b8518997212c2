"""The Hub's three forms: Parquet shards as `datasets` writes them, an imagefolder with metadata, WebDataset tars."""

import io
import json
import tarfile
from pathlib import Path

import cv2
import pyarrow as pa
import pyarrow.parquet as pq

from tests.fakes import Expected, face, litter, save

NAMES = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
SPLITS = {"train": 9, "validation": 4, "test": 5}
OFFICIAL = {"train": "train", "validation": "val", "test": "test"}


def encoded(seed: int, ending: str = ".png") -> bytes:
    """Return a face as the bytes of an image file."""
    return bytes(cv2.imencode(ending, face(seed))[1])


def features(names: tuple[str, ...] | None = NAMES) -> dict[bytes, bytes]:
    """Return what `datasets` writes into a Parquet file's schema."""
    label = {"names": names, "_type": "ClassLabel"} if names else {"dtype": "int64", "_type": "Value"}
    return {b"huggingface": json.dumps({"info": {"features": {"image": {"_type": "Image"}, "label": label}}}).encode()}


def shard(path: Path, rows: list[tuple[bytes | None, int | None]], metadata: dict[bytes, bytes] | None = None) -> None:
    """Write a shard of pictures, as struct<bytes, path>, and codes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    images = pa.array([data and {"bytes": data, "path": f"{i}.png"} for i, (data, _) in enumerate(rows)], kind)
    table = pa.table({"image": images, "label": pa.array([code for _, code in rows], pa.int64())})
    pq.write_table(table.replace_schema_metadata(features() if metadata is None else metadata), path, row_group_size=4)


def parquet(root: Path) -> Expected:
    """Write two shards of train, one each of validation and test; a row without a picture, one without a label."""
    expected, seed = Expected(), 0
    for split, count in SPLITS.items():
        rows: list[tuple[bytes | None, int | None]] = []
        for i in range(count):
            rows.append((encoded(seed), -1 if split == "test" and i == 0 else i % 7))
            label = None if rows[-1][1] == -1 else NAMES[i % 7]
            expected.counts[OFFICIAL[split], label] += 1
            seed += 1
        if split == "train":
            rows.append((None, 3))
            expected.skipped += 1
        parts = 2 if split == "train" else 1
        for part in range(parts):
            shard(root / "data" / f"{split}-{part:05}-of-{parts:05}.parquet", rows[part::parts])
    (root / "README.md").write_text("---\nlicense: other\n---\n")
    litter(root / "data")
    return expected


def imagefolder(root: Path) -> Expected:
    """Write a folder for each split with a metadata file of each kind; a row names no picture."""
    expected, seed = Expected(), 100
    kinds = dict(zip(SPLITS, (".csv", ".jsonl", ".parquet"), strict=True))
    for split, count in SPLITS.items():
        rows = []
        for i in range(count):
            save(root / split / "faces" / f"{seed}.jpg", face(seed))
            rows.append({"file_name": f"faces/{seed}.jpg", "emotion": NAMES[i % 7], "age": 20 + i})
            expected.counts[OFFICIAL[split], NAMES[i % 7]] += 1
            seed += 1
        path = root / split / f"metadata{kinds[split]}"
        if path.suffix == ".csv":
            path.write_text("file_name,emotion,age\n" + "".join(f"{','.join(map(str, r.values()))}\n" for r in rows))
        elif path.suffix == ".jsonl":
            rows.append({"emotion": "happy", "age": 3})
            expected.skipped += 1
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        else:
            pq.write_table(pa.Table.from_pylist(rows), path)
    litter(root, root / "train")
    return expected


def webdataset(root: Path) -> Expected:
    """Write what tars unpack to: a folder each, pictures beside .cls, .json or .txt; a key has two pictures."""
    expected, seed = Expected(), 200
    (root / "classnames.txt").write_text("\n".join(NAMES) + "\n")
    for split, count in {"train-00000": 7, "train-00001": 3, "test-00000": 4}.items():
        for i in range(count):
            beside = root / split / f"{i:06}"
            save(beside.with_suffix(".png"), face(seed))
            form = i % 3
            text = (str(i % 7), json.dumps({"label": i % 7, "license": "?"}), NAMES[i % 7])[form]
            beside.with_suffix((".cls", ".json", ".txt")[form]).write_text(text)
            expected.counts[split.partition("-")[0], NAMES[i % 7]] += 1
            seed += 1
    save(root / "train-00000" / "000000.jpg", face(999))
    expected.skipped += 1
    litter(root / "train-00000")
    return expected


def tar(path: Path, folder: Path) -> None:
    """Pack a folder's files into a tar, as WebDataset has them: no folder in it."""
    with tarfile.open(path, "w") as file:
        for member in sorted(folder.iterdir()):
            if member.is_file() and not member.name.startswith("."):
                info = tarfile.TarInfo(member.name)
                data = member.read_bytes()
                info.size = len(data)
                file.addfile(info, io.BytesIO(data))


LAYOUTS = {"parquet": parquet, "imagefolder": imagefolder, "webdataset": webdataset}
