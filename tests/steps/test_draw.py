"""The drawn trees: the same bytes for the same seed, complete, and counted both ways."""

import csv
import hashlib
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from ferdata.drawing import expression, landmarks, paint, person, scene
from ferdata.errors import AlreadyExists, BadOption, CannotWrite
from ferdata.images import decode, pixel_hash
from ferdata.labels import EMOTIONS, VOTE_COLUMNS, tally
from ferdata.steps.draw import CKPLUS_CODES, draw, draw_ckplus, draw_ferplus, draw_rafdb

SMALL = 240


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return draw(tmp_path_factory.mktemp("drawn"), faces=SMALL, seed=3)


def digest(root: Path) -> str:
    whole = hashlib.sha256()
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        whole.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return whole.hexdigest()


def test_same_seed_gives_same_bytes(roots: dict[str, Path], tmp_path: Path) -> None:
    again = draw(tmp_path / "again", faces=SMALL, seed=3)
    other = draw(tmp_path / "other", faces=SMALL, seed=4)
    for name, root in roots.items():
        assert digest(again[name]) == digest(root)
        assert digest(other[name]) != digest(root)


def test_three_datasets_make_up_the_faces_asked_for(roots: dict[str, Path]) -> None:
    assert list(roots) == ["ferplus", "ckplus", "rafdb"]
    images = [p for root in roots.values() for p in root.rglob("*") if p.suffix in (".png", ".jpg")]
    assert SMALL <= len(images) <= 1.1 * SMALL
    for path in images:
        assert decode(path.read_bytes()).dtype == np.uint8


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


def test_ferplus_has_faces_in_two_splits(roots: dict[str, Path]) -> None:
    where: dict[str, set[str]] = {}
    for path in (roots["ferplus"] / "data").rglob("*.png"):
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


def test_an_existing_tree_is_replaced_only_on_request(tmp_path: Path) -> None:
    stray = tmp_path / "rafdb" / "stray.txt"
    stray.parent.mkdir()
    stray.touch()
    with pytest.raises(AlreadyExists, match="rafdb"):
        draw(tmp_path, faces=SMALL)
    draw(tmp_path, faces=SMALL, force=True)
    assert not stray.exists()


def test_too_few_faces_and_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(BadOption):
        draw(tmp_path, faces=10)
    (tmp_path / "file").touch()
    with pytest.raises(CannotWrite):
        draw(tmp_path / "file" / "below", faces=SMALL)


def test_landmarks_lie_where_the_face_is_painted() -> None:
    who, seen = person(5), scene(7, plain=True)
    open_mouth, calm = expression("surprise", 1.0, 0), expression("neutral", 0.0, 0)
    wide, shut = (landmarks(who, shown, seen, 160, 120) for shown in (open_mouth, calm))
    assert wide.shape == (68, 2)
    assert wide[66, 1] - wide[62, 1] > shut[66, 1] - shut[62, 1] + 3  # inner lips part
    assert wide[19, 1] < shut[19, 1]  # brows rise
    # The mouth's inside is darker than the skin of the chin.
    grey = cv2.cvtColor(paint(who, open_mouth, seen, 160, 120), cv2.COLOR_RGB2GRAY)
    x, y = wide[[62, 66]].mean(axis=0).round().astype(int)
    chin = wide[8].round().astype(int) - (0, 4)
    assert grey[y, x] < grey[chin[1], chin[0]]


def test_every_emotion_changes_the_face() -> None:
    who, seen = person(1), scene(1)
    pictures = {e: paint(who, expression(e, 1.0, 0), seen, 48, 48) for e in EMOTIONS}
    assert len({pixel_hash(p) for p in pictures.values()}) == len(EMOTIONS)
