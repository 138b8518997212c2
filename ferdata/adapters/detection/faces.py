"""What every form comes to: a box in a picture, cut to it; and how a picture is found that a file names."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ferdata.schema import Shares
from ferdata.sources import leads_out
from ferdata.sources.recognise import image_names

OUTSIDE = "its box is outside the picture"
ROUNDED = 1e-3  # by which a share may be over 1 and mean 1


@dataclass(frozen=True, slots=True)
class Face:
    """A box in a picture: left, top, width and height, in pixels or in shares; `cut` if it reached over the edge."""

    image: str
    label: str
    box: tuple[float, ...]
    split: str | None
    cut: bool = False


def in_picture(
    box: tuple[float, float, float, float], width: float, height: float, slack: float = 0.0
) -> tuple[tuple[float, ...], bool] | None:
    """Return the part of a box (left, top, width, height) that lies in the picture, and whether it is less; None: none.

    A box over the edge by no more than `slack` is not called cut.
    """
    left, top, wide, high = box
    right, bottom = min(left + wide, width), min(top + high, height)
    inner = (max(left, 0.0), max(top, 0.0))
    size = (right - inner[0], bottom - inner[1])
    if not (wide > 0 and high > 0 and min(size) > 0):  # neither has a number that is none
        return None
    over = max(-left, -top, left + wide - width, top + high - height)
    return (*inner, *size), over > slack


def in_shares(box: tuple[float, float, float, float]) -> tuple[Shares, bool] | None:
    """Return the same of a box in shares of the picture's width and height."""
    found = in_picture(box, 1.0, 1.0, ROUNDED)
    return None if found is None else (Shares(found[0]), found[1])


class Pictures:
    """The pictures of a dataset, found by what a file says of them: a path from it, from the base, or a name."""

    def __init__(self, base: Path) -> None:
        self.paths = set(image_names(base))
        self.by_name: dict[str, list[str]] = defaultdict(list)
        for path in sorted(self.paths):
            self.by_name[PurePosixPath(path).name].append(path)

    def find(self, named: str, folder: str) -> str | None:
        """Return the path of a picture, relative to the base, that a file in `folder` names; None for none or several.

        A path that leads out is none.
        """
        named = named.replace("\\", "/")
        beside = PurePosixPath(folder, named).as_posix()
        if not leads_out(named):
            for path in (beside, named):
                if path in self.paths:
                    return path
        alike = self.by_name.get(PurePosixPath(named).name, [])
        same = [path for path in alike if path.endswith(f"/{named}")] or alike
        return same[0] if len(same) == 1 else None
