"""The report's pictures: all pixels where they fit, fewer where the budget is short."""

import cv2
import numpy as np
import pytest

from ferdata.auditing.report.pictures import coded
from tests.conftest import picture


def opened(data: bytes) -> np.ndarray:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1])


def test_a_face_of_48_pixels_is_kept_pixel_by_pixel() -> None:
    colour = np.stack([picture(1), picture(2), picture(3)], axis=2)
    np.testing.assert_array_equal(opened(coded(colour, 100_000)), colour)
    np.testing.assert_array_equal(opened(coded(picture(4), 100_000))[..., 0], picture(4))


@pytest.mark.parametrize(("share", "side"), [(400_000, 400), (12_000, 256), (1, 96)])
def test_a_photograph_is_as_large_as_its_share_of_the_bytes_allows(share: int, side: int) -> None:
    rng = np.random.default_rng(0)
    photograph = cv2.GaussianBlur(rng.integers(0, 256, (200, 400), np.uint8), (0, 0), 1.2)
    data = coded(photograph, share)
    assert opened(data).shape[:2] == (side // 2, side)
    assert len(data) <= max(share, 4_000)
