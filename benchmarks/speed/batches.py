"""Training batches (128, crop + flip + rotation, normalised, float32): ours against the usual loaders.

Everybody reads the same files, or the pack made of them; the usual loaders have as many workers as there are cores,
which stay alive between epochs. An epoch is timed from asking for it to its last batch; the first, untimed one opens
caches. "torch, in memory" is the same work by torch's operators over a uint8 array that is there already.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speed.inputs import Inputs
from speed.report import Section
from speed.settings import Settings, median

if TYPE_CHECKING:
    import torch

BATCH = 128
CROP, ASPECT, ROTATION, FLIP = (0.8, 1.0), (3 / 4, 4 / 3), 10, 0.5
SIZES = {48: (1, 2048), 112: (3, 1024), 224: (3, 512)}  # side -> channels, images
EPOCHS, LEAST = 2, 0.5  # an epoch too short to time well is repeated, until so many seconds are over
NAMES = {
    "torchvision": "torchvision ImageFolder + DataLoader",
    "albumentations": "albumentations + DataLoader",
    "hf": "Hugging Face datasets + DataLoader",
    "torch": "torch, in memory",
    "workers": "ferdata, engine workers (albumentations)",
    "device": "ferdata, engine device (OpenCV), the default",
}
PEERS = ("torchvision", "albumentations", "hf")
OURS = ("workers", "device")
WANTED = {48: 10, 112: 3, 224: 3}  # times torchvision
Epoch = Callable[[], Iterator["torch.Tensor"]]


def section(inputs: Inputs, settings: Settings) -> Section:
    """Measure everybody at every size, each in a process of its own, in turn."""
    heads = ["images/s", "of torchvision", "of torch in memory", "a batch, ms", "first batch, ms", "begun earlier, ms"]
    made = Section(f"Training batches of {BATCH}", ["size", "by"], heads)
    source = inputs.ferplus(len_of_largest())
    turns, told = settings.repeats, []
    for side, (channels, images) in SIZES.items():
        images = images // 2 if settings.quick else images
        files = inputs.work / f"{side}px-{images}"
        told.append(f"{images} files of {side} px")
        settings.measure("batches:write", source=source, out=files, side=side, channels=channels, images=images)
        found: dict[str, list[dict[str, float]]] = {who: [] for who in NAMES}
        for _ in range(turns):
            for who in NAMES:
                arguments = {"files": files, "side": side, "channels": channels, "workers": settings.cores}
                case = "batches:by_peer" if who in PEERS else "batches:by_us"
                found[who].append(settings.measure(case, peer=who in PEERS, who=who, **arguments).found)
        _rows(made, side, {who: _middle(runs) for who, runs in found.items()})
    made.notes += [
        "First batch: from asking for an epoch to its first batch. Begun earlier: the same where the epoch's iterator "
        "was made before val was scored, as `ferdata train` does; the others begin when they are asked.",
        f"{', '.join(told)}; the usual loaders with {settings.cores} workers each. "
        "48 px: grey PNG; the others: colour JPEG.",
    ]
    return made


def len_of_largest() -> int:
    """Return how many images the largest set asks for."""
    return max(images for _, images in SIZES.values())


def _middle(runs: list[dict[str, Any]]) -> dict[str, float]:
    names = ("rate", "first", "begun")
    return {name: median([value for run in runs for value in run[name]]) for name in names}


def _rows(made: Section, side: int, found: dict[str, dict[str, float]]) -> None:
    usual, bare, ours = (found[who]["rate"] for who in ("torchvision", "torch", "device"))
    for who, name in NAMES.items():
        rate, first, begun = (found[who][figure] for figure in ("rate", "first", "begun"))
        made.rows.append([
            f"{side}", name, f"{rate:,.0f}", f"{rate / usual:.1f}", f"{rate / bare:.2f}",
            f"{1000 * BATCH / rate:.1f}", f"{1000 * first:.1f}", f"{1000 * begun:.1f}" if who in OURS else "",
        ])  # fmt: skip
    made.at_least(f"batches at {side} px, against torchvision", ours / usual, WANTED[side])
    made.at_most(f"batches at {side} px, of torch's time in memory", bare / ours, 1.5, " times")
    batch = BATCH / ours
    made.at_most(f"batches at {side} px, wait for an epoch's first", found["device"]["begun"] / batch, 0.5, " batches")


def write(source: str, out: str, side: int, channels: int, images: int) -> dict[str, Any]:
    """Write faces as class folders, PNGs if grey and JPEGs if colour, and as the array that a pack would hold."""
    import cv2
    import numpy as np

    from ferdata.training_data.arrays import prepare

    if Path(out).exists():
        return {}
    found, kept = sorted(Path(source).rglob("*.png")), []
    suffix, options = (".png", []) if channels == 1 else (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 92])
    for i in range(images):
        face = cv2.imread(str(found[i % len(found)]), cv2.IMREAD_COLOR)
        path = Path(out, "files", f"class{i % 7}", f"{i:06}{suffix}")
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), prepare(face, side, channels), options)
        read = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR_RGB)
        kept.append(read.reshape(side, side, channels))
    np.save(Path(out, "pixels.npy"), np.stack(kept))
    return {"images": images}


def by_peer(who: str, files: str, side: int, channels: int, workers: int) -> dict[str, Any]:
    """Time epochs of one of the usual loaders."""
    from torch.utils.data import DataLoader

    folder = Path(files, "files")
    made: dict[str, Callable[[], tuple[Any, Any]]] = {
        "torchvision": lambda: (_image_folder(folder, side, channels), None),
        "albumentations": lambda: (_by_albumentations(folder, side, channels), None),
        "hf": lambda: (_by_hf(folder, side, channels), _by_column),
    }
    rows, collate = made[who]()
    loader = DataLoader(
        rows, batch_size=BATCH, shuffle=True, num_workers=workers, drop_last=True, persistent_workers=workers > 0,
        collate_fn=collate,
    )  # fmt: skip

    def epoch() -> "Iterator[torch.Tensor]":
        return (batch[0] for batch in loader)

    return timed(epoch)


def by_us(who: str, files: str, side: int, channels: int, workers: int) -> dict[str, Any]:
    """Time epochs of ferdata's loader with an engine, or of torch's operators on an array in memory."""
    del workers  # it decides for itself
    import numpy as np
    import torch

    from zoo.augment import apply
    from zoo.augment.parameters import draw
    from zoo.augment.policies import Policy
    from zoo.data.batches import Loader
    from zoo.data.rows import Images

    policy = Policy(rotation=ROTATION, crop=CROP, crop_aspect=ASPECT, flip=FLIP)
    pixels = torch.from_numpy(np.load(Path(files, "pixels.npy"), mmap_mode="c"))
    n, count = len(pixels), iter(range(1 << 30))
    mean, std = (0.5,) * channels, (0.25,) * channels
    if who == "torch":
        whole = pixels.clone()
        at, by = torch.tensor(mean), torch.tensor(std)

        def bare() -> Iterator[torch.Tensor]:
            order, generator = torch.randperm(n), torch.Generator().manual_seed(next(count))
            for start in range(0, n - BATCH + 1, BATCH):
                numbers = draw(policy, BATCH, side, generator)
                yield apply.on_device(whole[order[start : start + BATCH]], numbers, at, by)

        return timed(bare)
    images = Images(np.arange(n), pixels, torch.zeros(n, dtype=torch.int64), torch.zeros(n, 7))
    with Loader(images, policy, mean, std, BATCH, "cpu", who) as made:
        return timed(lambda: (b.x for b in made.epoch(torch.randperm(n), next(count))))


def timed(epoch: Epoch) -> dict[str, Any]:
    """Return, of several epochs, images per second, seconds to the first batch, and that of one begun earlier."""
    import torch

    for _ in epoch():
        pass
    found: dict[str, list[float]] = {"rate": [], "first": [], "begun": []}
    spent = 0.0
    while len(found["rate"]) < EPOCHS or spent < LEAST:
        start, first, seen = time.perf_counter(), 0.0, 0
        for x in epoch():
            first = first or time.perf_counter() - start
            assert x.dtype == torch.float32
            seen += len(x)
        taken = time.perf_counter() - start
        spent += taken
        found["rate"].append(seen / taken)
        found["first"].append(first)
    for _ in range(EPOCHS):
        coming = epoch()
        time.sleep(10 * BATCH / median(found["rate"]))  # val is scored
        start = time.perf_counter()
        next(coming)
        found["begun"].append(time.perf_counter() - start)
        for _ in coming:
            pass
    return found


def by_torchvision(side: int, channels: int) -> Any:
    """Return the transforms as torchvision's tutorials have them."""
    from torchvision import transforms as T

    grey = [T.Grayscale(1)] if channels == 1 else []
    return T.Compose([
        *grey,
        T.RandomResizedCrop(side, scale=CROP, ratio=ASPECT),
        T.RandomHorizontalFlip(FLIP),
        T.RandomRotation(ROTATION, interpolation=T.InterpolationMode.BILINEAR),
        T.ToTensor(),
        T.Normalize((0.5,) * channels, (0.25,) * channels),
    ])  # fmt: skip


def _image_folder(folder: Path, side: int, channels: int) -> Any:
    from torchvision.datasets import ImageFolder

    return ImageFolder(str(folder), by_torchvision(side, channels))


class Albumented:
    """Files, one by one, as albumentations' own tutorials read them."""

    def __init__(self, folder: Path, side: int, channels: int) -> None:
        import albumentations as A
        import cv2
        from albumentations.pytorch import ToTensorV2

        self.paths = sorted(folder.rglob("*.*"))
        self.kind = cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR_RGB
        steps = [
            A.RandomResizedCrop((side, side), scale=CROP, ratio=ASPECT),
            A.HorizontalFlip(p=FLIP),
            A.Rotate((-ROTATION, ROTATION), border_mode=cv2.BORDER_REFLECT, p=1.0),
            A.Normalize(mean=(0.5,) * channels, std=(0.25,) * channels),
            ToTensorV2(),
        ]
        self.transform = A.Compose(steps)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, i: int) -> tuple["torch.Tensor", int]:
        import cv2

        picture = cv2.imread(str(self.paths[i]), self.kind)
        return self.transform(image=picture.reshape(*picture.shape[:2], -1))["image"], 0


def _by_albumentations(folder: Path, side: int, channels: int) -> Albumented:
    return Albumented(folder, side, channels)


def _by_hf(folder: Path, side: int, channels: int) -> Any:
    import datasets

    datasets.disable_progress_bars()
    cache = str(folder.parent / "hf")
    rows = datasets.load_dataset("imagefolder", data_dir=str(folder), split="train", cache_dir=cache)
    rows.set_transform(partial(_mapped, by_torchvision(side, channels)))
    return rows


def _mapped(transform: Any, rows: dict[str, Any]) -> dict[str, Any]:
    return {"x": [transform(picture) for picture in rows["image"]]}


def _by_column(rows: "list[dict[str, torch.Tensor]]") -> "list[torch.Tensor]":
    import torch

    return [torch.stack([row["x"] for row in rows])]
