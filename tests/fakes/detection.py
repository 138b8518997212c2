"""Three exports of boxed faces, as annotation tools write them: YOLO, COCO and Pascal VOC."""

import json
from pathlib import Path

import numpy as np

from tests.fakes import Expected, face, litter, save

NAMES = ("anger", "happiness", "sadness")
SPLITS = {"train": 5, "valid": 2, "test": 3}
OFFICIAL = {"train": "train", "valid": "val", "test": "test"}
# Two faces of 24 x 20 in each picture of 48 x 48: left, top, width, height in pixels.
BOXES = ((2, 4, 24, 20), (20, 26, 24, 20))


def pictures(expected: Expected, folder: str, seed: int):
    """Yield path below `folder`, split and classes of each picture; the last of train has no box."""
    for split, count in SPLITS.items():
        for i in range(count):
            empty = split == "train" and i == count - 1
            classes = () if empty else (seed % 3, (seed + 1) % 3)
            for number in classes:
                expected.counts[OFFICIAL[split], NAMES[number]] += 1
            expected.skipped += empty
            yield folder.format(split=split) + f"/{split}_{i}.jpg", split, classes
            seed += 1


def yolo(root: Path) -> Expected:
    """Write Roboflow's form: a folder for each split, with images/ and labels/ in it."""
    expected = Expected()
    for seed, (path, split, classes) in enumerate(pictures(expected, "{split}/images", 10)):
        save(root / path, face(300 + seed))
        lines = [
            " ".join(map(str, (number, *((np.array(box[:2]) + np.array(box[2:]) / 2) / 48), box[2] / 48, box[3] / 48)))
            for number, box in zip(classes, BOXES, strict=False)
        ]
        text = root / split / "labels" / f"{Path(path).stem}.txt"
        text.parent.mkdir(exist_ok=True)
        text.write_text("\n".join(lines))
    (root / "data.yaml").write_text(f"train: ../train/images\nval: ../valid/images\nnc: 3\nnames: {list(NAMES)}\n")
    litter(root / "train" / "images")
    return expected


def coco(root: Path) -> Expected:
    """Write a folder of pictures, and a JSON file for each split beside it; a crowd stands among the boxes."""
    expected = Expected()
    content: dict[str, dict] = {}
    categories = [{"id": 7 + i, "name": name, "supercategory": "face"} for i, name in enumerate(NAMES)]
    for seed, (path, split, classes) in enumerate(pictures(expected, "images", 20)):
        save(root / path, face(400 + seed))
        one = content.setdefault(split, {"info": {}, "images": [], "annotations": [], "categories": categories})
        one["images"].append({"id": seed, "file_name": Path(path).name, "width": 48, "height": 48})
        for number, box in zip(classes, BOXES, strict=False):
            given = {"id": len(one["annotations"]), "image_id": seed, "category_id": 7 + number, "bbox": list(box)}
            one["annotations"].append({**given, "iscrowd": 0, "area": box[2] * box[3]})
    crowd = dict(content["train"]["annotations"][0], id=99, iscrowd=1)
    content["train"]["annotations"].append(crowd)
    expected.skipped += 1
    (root / "annotations").mkdir()
    for split, one in content.items():
        (root / "annotations" / f"instances_{split}2024.json").write_text(json.dumps(one))
    (root / "annotations" / "licence.json").write_text('{"name": "none"}')
    litter(root / "images")
    return expected


def voc(root: Path) -> Expected:
    """Write JPEGImages, Annotations and ImageSets as the development kit has them."""
    expected = Expected()
    sets: dict[str, list[str]] = {}
    (root / "Annotations").mkdir()
    (root / "ImageSets" / "Main").mkdir(parents=True)
    for seed, (path, split, classes) in enumerate(pictures(expected, "JPEGImages", 30)):
        save(root / path, face(500 + seed))
        stem = Path(path).stem
        sets.setdefault("val" if split == "valid" else split, []).append(stem)
        objects = "".join(
            f"<object><name>{NAMES[number]}</name><difficult>0</difficult><bndbox><xmin>{box[0]}</xmin><ymin>{box[1]}"
            f"</ymin><xmax>{box[0] + box[2]}</xmax><ymax>{box[1] + box[3]}</ymax></bndbox></object>"
            for number, box in zip(classes, BOXES, strict=False)
        )
        (root / "Annotations" / f"{stem}.xml").write_text(
            f"<annotation><folder>x</folder><filename>{stem}.jpg</filename><size><width>48</width><height>48</height>"
            f"<depth>3</depth></size>{objects}</annotation>"
        )
    for split, stems in sets.items():
        (root / "ImageSets" / "Main" / f"{split}.txt").write_text("\n".join(stems))
    litter(root / "JPEGImages")
    return expected


LAYOUTS = {"yolo": yolo, "coco": coco, "voc": voc}
