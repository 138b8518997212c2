import cv2
import numpy as np
import pytest

from ferdata.errors import AlreadyExists, BadOption
from tests.zoo.conftest import shape_rows
from zoo.augment.contact_sheet import LABEL, TILE, sheet
from zoo.augment.policies import OWN, POLICIES


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FERDATA_CACHE", str(tmp_path / "cache"))


def read(path):
    return cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)


def tiles(picture, row, n):
    """The pictures of a row of the sheet: as it is, then as drawn."""
    from zoo.augment.contact_sheet import GAP

    step, top = TILE + GAP, 78 + row * (TILE + GAP)
    left = [LABEL, *(LABEL + step + 3 * GAP + k * step for k in range(n))]
    return [picture[2 * top : 2 * (top + TILE), 2 * x : 2 * (x + TILE)] for x in left]


@pytest.mark.parametrize("engine", ["device", "workers"])
def test_the_sheet_shows_each_face_as_it_is_and_as_drawn(manifest_path, tmp_path, engine):
    made = sheet(manifest_path, tmp_path / "sheet.png", "flip", rows=4, draws=6, engine=engine)
    assert (made.faces, made.draws, made.size, made.ranges) == (4, 6, 32, {"flip": "50% of the time"})
    picture = read(made.out)
    for row in range(4):
        plain, *drawn = tiles(picture, row, 6)
        assert plain.std() > 10
        for tile in drawn:  # a pixel at the edge may be blended with the paper
            inner = (slice(3, -3), slice(3, -3))
            same, mirrored = (np.abs(tile.astype(int) - p).astype(int)[inner].mean() for p in (plain, plain[:, ::-1]))
            assert min(same, mirrored) < 4
    first = tiles(picture, 0, 6)
    differs = [np.abs(t.astype(int) - first[0])[3:-3, 3:-3].mean() > 6 for t in first[1:]]
    assert any(differs)
    assert not all(differs)


def test_faces_are_of_all_classes_in_turn_and_of_train_alone(shapes, tmp_path):
    rows = shape_rows()
    for row in rows:  # what is not of train is one colour, and would be seen
        if row["split"] != "train":
            row["pixels"] = np.full((32, 32), 255, np.uint8)
    made = sheet(shapes(rows), tmp_path / "sheet.png", "none", rows=8, draws=1)
    picture = read(made.out)
    assert all(tiles(picture, row, 1)[0].std() > 5 for row in range(8))


def test_the_same_seed_draws_the_same_sheet_and_another_one_does_not(manifest_path, tmp_path):
    one, two, three = (
        sheet(manifest_path, tmp_path / f"{n}.png", "strong", rows=2, draws=3, seed=seed).out.read_bytes()
        for n, seed in enumerate((1, 1, 2))
    )
    assert one == two
    assert one != three


def test_published_landmarks_are_drawn_left_and_right_in_their_colours(shapes, tmp_path):
    rows = shape_rows()
    eyes = [8.0, 10.0, 23.0, 10.0, 15.5, 16.0, 10.0, 24.0, 21.0, 24.0]
    for row in rows:
        row |= {"landmarks": eyes, "pixels": np.full((32, 32), 40, np.uint8)}
        del row["shape"]
    path = shapes(rows)
    made = sheet(path, tmp_path / "sheet.png", "flip", rows=2, draws=8)
    assert made.landmarks == 2
    picture = cv2.imread(str(made.out))
    for tile in tiles(picture, 0, 8):
        blue, _, red = (tile[..., c].astype(int) for c in range(3))
        left, right = (np.flatnonzero((m > 60).any(0)) for m in (red - blue, blue - red))
        assert len(left)
        assert left.max() < TILE < right.min()
    assert sheet(path, tmp_path / "other.png", "flip", rows=2, engine="workers").landmarks == 0


@pytest.mark.parametrize("name", [name for name in POLICIES if name != OWN])
def test_every_policy_can_be_looked_at(manifest_path, tmp_path, name):
    made = sheet(manifest_path, tmp_path / "sheet.png", name, rows=1, draws=1)
    assert made.out.stat().st_size > 5000
    assert list(made.ranges) or name == "none"


def test_ranges_of_ones_own_are_drawn_and_named(manifest_path, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('about = "for my thesis"\nflip = 1\n')
    made = sheet(manifest_path, tmp_path / "sheet.png", file, rows=1, draws=2, options={"brightness": (0.5, 0.5)})
    assert made.ranges == {"flip": "100% of the time", "brightness": "×0.5"}
    assert made.about == "for my thesis, with another brightness"
    plain, *drawn = tiles(read(made.out), 0, 2)
    for tile in drawn:
        assert np.abs(tile.astype(int) - plain[:, ::-1] / 2)[3:-3, 3:-3].mean() < 4
    for key in ("lr", "rotatoin"):
        with pytest.raises(BadOption, match=f"A policy has no range '{key}'"):
            sheet(manifest_path, tmp_path / "b.png", options=[f"{key}=1"])
    with pytest.raises(BadOption, match="needs an erase"):
        sheet(manifest_path, tmp_path / "b.png", options=["erase_area=0.1,0.2"])


def test_only_the_faces_that_are_shown_are_read(manifest_path, tmp_path, monkeypatch):
    from ferdata.training_data import arrays

    read = []
    plain = arrays.read_image
    monkeypatch.setattr(arrays, "read_image", lambda *given: read.append(1) or plain(*given))
    sheet(manifest_path, tmp_path / "sheet.png", rows=3)
    assert len(read) == 3


def test_a_file_is_not_replaced_unasked_and_what_there_is_not_is_named(manifest_path, tmp_path):
    (tmp_path / "sheet.png").write_bytes(b"mine")
    with pytest.raises(AlreadyExists):
        sheet(manifest_path, tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").read_bytes() == b"mine"
    sheet(manifest_path, tmp_path / "sheet.png", rows=1, draws=1, force=True)
    with pytest.raises(BadOption, match="engine"):
        sheet(manifest_path, tmp_path / "b.png", engine="dali")
    with pytest.raises(BadOption, match="policy"):
        sheet(manifest_path, tmp_path / "b.png", "heavy")


def test_rows_without_a_class_are_shown_where_there_is_nothing_else(shapes, tmp_path):
    rows = shape_rows()
    for row in rows:
        row["native_label"] = None
    made = sheet(shapes(rows), tmp_path / "sheet.png", rows=2, draws=1)
    assert made.faces == 2
