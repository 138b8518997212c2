import pytest

from ferdata.errors import BadOption, BrokenRun
from ferdata.images import encode_png
from tests.zoo.conftest import SHAPES, shape
from zoo.predict import predict


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    (folder / "deeper").mkdir(parents=True)
    for i, emotion in enumerate(SHAPES * 2):
        place = folder / "deeper" if i % 2 else folder
        (place / f"{emotion}-{i}.png").write_bytes(encode_png(shape(emotion, 9000 + i)))
    return folder


def test_a_folder_is_searched_and_most_shapes_are_told(trained, pictures):
    (pictures / "notes.txt").write_text("no picture")
    found = predict(trained, [pictures], device="cpu")
    assert len(found) == 8
    assert [p.path for p in found] == sorted(pictures.rglob("*.png"))
    assert sum(p.path.name.startswith(p.label) for p in found) >= 6
    for p in found:
        assert sum(p.probabilities.values()) == pytest.approx(1, abs=1e-5)
        assert p.label == max(p.probabilities, key=p.probabilities.get)
        assert p.runner_up not in (p.label, None)


def test_what_cannot_be_read_is_named_and_keeps_its_place(trained, pictures):
    broken = pictures / "broken.png"
    broken.write_bytes(b"not a picture")
    good = next((pictures / "deeper").iterdir())
    found = predict(trained, [broken, good, pictures / "gone.png"])
    assert [p.error is None for p in found] == [False, True, False]
    assert found[0].label is None
    assert "No such file" in found[2].error


def test_all_unreadable_is_still_an_answer(trained, tmp_path):
    assert [p.label for p in predict(trained, [tmp_path / "gone.png"])] == [None]


def test_another_size_and_colour_are_brought_to_the_models(trained, tmp_path):
    import cv2
    import numpy as np

    big = cv2.resize(shape("surprise", 77), (200, 160))
    path = tmp_path / "big.png"
    path.write_bytes(encode_png(np.repeat(big[..., None], 3, 2)))
    assert predict(trained, [path])[0].error is None


def test_an_empty_folder_is_said(trained, tmp_path):
    with pytest.raises(BadOption, match="no picture"):
        predict(trained, [tmp_path])


def test_a_folder_that_is_no_run_is_said(tmp_path, pictures):
    with pytest.raises(BrokenRun):
        predict(tmp_path, [pictures])
