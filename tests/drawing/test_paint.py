"""Painted faces: landmarks lie where they are painted, and every emotion changes them."""

import cv2

from ferdata.drawing import expression, landmarks, paint, person, scene
from ferdata.images import pixel_hash
from ferdata.labels import EMOTIONS


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
