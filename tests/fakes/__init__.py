"""Each dataset's official tree, written small, seeded and hostile; every module has `LAYOUTS` by layout name."""

import importlib
import pkgutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
from numpy.typing import NDArray

# (official split, native label) -> rows
Cells = Counter[tuple[str | None, str | None]]


@dataclass
class Expected:
    """What an adapter must find in a fake."""

    counts: Cells = field(default_factory=Counter)
    skipped: int = 0
    subjects: int = 0
    sequences: int = 0

    @property
    def rows(self) -> int:
        return sum(self.counts.values())


Writer = Callable[[Path], Expected]


def modules() -> dict[str, ModuleType]:
    """Return every fake by the name of its dataset."""
    names = (m.name for m in pkgutil.iter_modules(__path__))
    return {name: importlib.import_module(f"{__name__}.{name}") for name in names}


def layouts() -> dict[tuple[str, str], Writer]:
    """Return every writer by dataset and layout."""
    return {(d, name): writer for d, module in modules().items() for name, writer in module.LAYOUTS.items()}


def face(seed: int, side: int = 48, colour: bool = False) -> NDArray[np.uint8]:
    """Return an image that no other seed gives: smooth shapes with a little noise."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (6, 6, 3) if colour else (6, 6), dtype=np.uint8)
    big = cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC).astype(np.int16)
    return np.clip(big + rng.integers(-4, 5, big.shape), 0, 255).astype(np.uint8)


def save(path: Path, image: NDArray[np.uint8]) -> None:
    """Write an image, whatever the case of the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    done, data = cv2.imencode(path.suffix.lower(), image)
    assert done
    path.write_bytes(data.tobytes())


def litter(*folders: Path) -> None:
    """Leave in each folder what file managers leave: nothing of it is a row."""
    for folder in folders:
        (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
        (folder / "._a.png").write_bytes(b"\0\5\26\7")
        (folder / "Thumbs.db").write_bytes(b"\xd0\xcf")
        (folder / "__MACOSX").mkdir(exist_ok=True)
        save(folder / "__MACOSX" / "ghost.png", face(0, 8))


def pixels(image: NDArray[np.uint8]) -> str:
    """Return the cell in which FER2013's tables hold an image."""
    return " ".join(map(str, image.ravel()))
