"""The drawn trees: complete, and counted both ways."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np

from ferdata.drawing.ckplus_tree import CKPLUS_CODES, draw_ckplus
from ferdata.drawing.ferplus_tree import draw_ferplus
from ferdata.drawing.rafdb_tree import draw_rafdb
from ferdata.images import decode, pixel_hash
from ferdata.labels import EMOTIONS, VOTE_COLUMNS, tally


def ferplus_labels(root: Path) -> dict[str, list[list[str]]]:
    folders = sorted((root / "data").iterdir())
    return {f.name: list(csv.reader((f / "label.csv").read_text().splitlines())) for f in folders}


def test_ferplus_counts_agree_both_ways(tmp_path: Path) -> None:
    root = tmp_path / "ferplus"
    drawn = draw_ferplus(root, 300, seed=0)
    labels = ferplus_labels(root)
    assert set(labels) == set(drawn) == {"FER2013Train", "FER2013Valid", "FER2013Test"}
    for folder, rows in labels.items():
        votes = np.array([[int(v) for v in row[2:]] for row in rows])
        assert (votes.sum(axis=1) == 10).all()
        assert Counter(VOTE_COLUMNS[i] for i in votes.argmax(axis=1)) == drawn[folder]
        assert {row[0] for row in rows} == {p.name for p in (root / "data" / folder).glob("*.png")}
        assert len(rows) == len({row[0] for row in rows}) == sum(drawn[folder].values())
        assert {row[1] for row in rows} == {"(0, 0, 48, 48)"}
    assert sum(map(len, labels.values())) == 300


def test_ferplus_table_has_a_nameless_row_and_the_first_votes_of_a_picture(tmp_path: Path) -> None:
    root = tmp_path / "ferplus"
    draw_ferplus(root, 600, seed=0)
    text = (root / "fer2013new.csv").read_text()
    assert text.startswith(
        "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\nTraining,fer"
    )
    table = list(csv.DictReader(text.splitlines()))
    assert [r["NF"] for r in table if not r["Image name"]] == ["10"] * 3
    own = {row[0]: row[2:] for rows in ferplus_labels(root).values() for row in rows}
    named = {r["Image name"]: list(r.values())[2:] for r in table if r["Image name"]}
    assert set(named) == set(own)
    # The copies, and they alone, have votes of their own in label.csv.
    assert 1 <= sum(own[name] != named[name] for name in own) <= 600 // 12


def test_ferplus_has_faces_in_two_splits(tmp_path: Path) -> None:
    draw_ferplus(tmp_path / "ferplus", 132, seed=3)
    where: dict[str, set[str]] = {}
    for path in (tmp_path / "ferplus" / "data").rglob("*.png"):
        image = decode(path.read_bytes())
        assert image.shape == (48, 48)
        where.setdefault(pixel_hash(image), set()).add(path.parent.name)
    assert any(len(splits) > 1 for splits in where.values())


def test_ferplus_votes_find_every_emotion_and_no_majority(tmp_path: Path) -> None:
    root = tmp_path / "ferplus"
    draw_ferplus(root, 660, seed=0)
    rows = [row[2:] for split in ferplus_labels(root).values() for row in split]
    label, _ = tally(np.array(rows, np.int16), "majority")
    assert set(range(len(EMOTIONS))) <= set(label.tolist())
    assert (label == -1).sum() > 5
    shares = np.bincount(label[label >= 0], minlength=8)
    assert shares[0] > shares[1] > shares[2] > shares[5]


def test_ckplus_counts_agree_both_ways(tmp_path: Path) -> None:
    root = tmp_path / "ckplus"
    drawn = draw_ckplus(root, 120, seed=0)["all"]
    names = {code: emotion for emotion, code in CKPLUS_CODES.items()}
    files = list(root.glob("Emotion/*/*/*_emotion.txt"))
    assert Counter(names[int(float(f.read_text()))] for f in files) == drawn
    assert set(drawn) == set(CKPLUS_CODES)
    assert all(f.read_text() == f"   {int(float(f.read_text()))}.0000000e+00\n" for f in files)
    clips = [p for p in root.glob("cohn-kanade-images/*/*") if p.is_dir()]
    assert len(clips) == 20 > len(files)
    for clip in clips:
        subject, session = clip.parts[-2:]
        frames = sorted(p.name for p in clip.iterdir())
        assert frames == [f"{subject}_{session}_{n:08d}.png" for n in range(1, 7)]
        assert len(list((root / "FACS" / subject / session).glob("*_00000006_facs.txt"))) == 1
        points = sorted((root / "Landmarks" / subject / session).iterdir())
        assert [p.name for p in points] == [f.replace(".png", "_landmarks.txt") for f in frames]
        assert len(points[0].read_text().split()) == 136
        assert decode((clip / frames[0]).read_bytes()).shape == (120, 160)


def test_rafdb_counts_agree_both_ways(tmp_path: Path) -> None:
    drawn = draw_rafdb(tmp_path / "rafdb", 120, seed=0)
    base = tmp_path / "rafdb" / "DATASET"
    for split, digits in (("train", 5), ("test", 4)):
        raw = (base / f"{split}_labels.csv").read_bytes()
        assert raw.startswith(b"image,label\r\n")
        rows = list(csv.DictReader(raw.decode().splitlines()))
        assert Counter(r["label"] for r in rows) == drawn[split]
        assert [r["image"] for r in rows] == [f"{split}_{n:0{digits}d}_aligned.jpg" for n in range(1, len(rows) + 1)]
        for folder in (base / split).iterdir():
            here = {p.name for p in folder.iterdir()}
            assert here == {r["image"] for r in rows if r["label"] == folder.name}
        assert set(drawn[split]) == set("1234567")
    image = decode((base / "test" / rows[0]["label"] / rows[0]["image"]).read_bytes())
    assert image.shape == (100, 100, 3)
