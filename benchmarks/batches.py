"""Training batches (128, crop + flip + rotation, normalised, float32): ours against the usual loaders, in one run.

    python benchmarks/batches.py [--images 4096] [--repeats 5] [--folder FER+/Images] [--markdown FILE]

Faces are drawn (or taken from --folder) and written as class folders: grey PNGs of 48 pixels, colour JPEGs of 112 and
224. Everybody reads the same files, or the pack made of them, with two workers that stay alive between epochs; an
epoch is timed from asking for it to its last batch, the peers' first, untimed one opens their caches. In each repeat
everybody runs once; the median counts. "torch, in memory" is the same work by torch operators over a uint8 array that
is there already: what a loader can at best be as fast as. Needs the extra [train] and, for Hugging Face, `datasets`.

Then nets learn, on the processor or on a GPU: from one batch over and over, from the loader, and from batches made
between the steps by the same code without a thread. The loader is hidden where the second is as fast as the first.
"""

import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import cv2
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch.utils.data import DataLoader, Dataset

from ferdata.pack import prepare
from ferdata.steps.draw import draw as draw_faces
from zoo import augment
from zoo.data import Images
from zoo.draws import draw
from zoo.loader import Loader
from zoo.policies import Policy

BATCH, WORKERS = 128, 2
POLICY = Policy(rotation=10, crop=(0.8, 1.0), crop_aspect=(0.75, 4 / 3), flip=0.5)
SIZES = {48: 1, 112: 3, 224: 3}  # side -> channels
Epoch = Callable[[], Iterator[torch.Tensor]]


def write_files(folder: Path, given: Path | None, side: int, count: int) -> Path:
    """Write `count` faces of `side` pixels as class folders; return the folder."""
    if given is None:
        given = folder / "drawn"
        if not given.exists():
            draw_faces(given, faces=600)
    found = sorted(p for p in given.rglob("*") if p.suffix.lower() in (".png", ".jpg"))
    out = folder / f"{side}px"
    for i in range(count):
        face = cv2.imread(str(found[i % len(found)]), cv2.IMREAD_COLOR)
        pixels = prepare(face, side, SIZES[side])
        suffix, options = (".png", []) if SIZES[side] == 1 else (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 92])
        path = out / f"class{i % 7}" / f"{i:06}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), pixels, options)
    return out


def pack(files: Path, folder: Path, side: int) -> Images:
    """Decode the files once into a memory-mapped array, as `ferdata train` does."""
    paths = sorted(files.rglob("*.*"))
    kind = cv2.IMREAD_GRAYSCALE if SIZES[side] == 1 else cv2.IMREAD_COLOR_RGB
    pixels = np.stack([cv2.imread(str(p), kind).reshape(side, side, -1) for p in paths])
    np.save(folder / f"{side}.npy", pixels)
    mapped = torch.from_numpy(np.load(folder / f"{side}.npy", mmap_mode="c"))
    n = len(paths)
    return Images(np.arange(n), mapped, torch.zeros(n, dtype=torch.int64), torch.zeros(n, 7))


class ByAlbumentations(Dataset[tuple[torch.Tensor, int]]):
    """Files, one by one, as albumentations' own tutorials read them."""

    def __init__(self, paths: list[Path], side: int) -> None:
        import albumentations as A
        from albumentations.pytorch import ToTensorV2

        self.paths, self.channels = paths, SIZES[side]
        steps = [
            A.RandomResizedCrop((side, side), scale=POLICY.crop, ratio=POLICY.crop_aspect),
            A.HorizontalFlip(p=POLICY.flip),
            A.Rotate((-10, 10), border_mode=cv2.BORDER_REFLECT, p=1.0),
            A.Normalize(mean=(0.5,) * self.channels, std=(0.25,) * self.channels),
            ToTensorV2(),
        ]
        self.transform = A.Compose(steps)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        kind = cv2.IMREAD_GRAYSCALE if self.channels == 1 else cv2.IMREAD_COLOR_RGB
        picture = cv2.imread(str(self.paths[i]), kind)
        return self.transform(image=picture.reshape(*picture.shape[:2], -1))["image"], 0


def by_torchvision(side: int) -> Any:
    """The transforms as torchvision's tutorials have them."""
    from torchvision import transforms as T

    channels = SIZES[side]
    grey = [T.Grayscale(1)] if channels == 1 else []
    return T.Compose([
        *grey,
        T.RandomResizedCrop(side, scale=POLICY.crop, ratio=POLICY.crop_aspect),
        T.RandomHorizontalFlip(POLICY.flip),
        T.RandomRotation(10, interpolation=T.InterpolationMode.BILINEAR),
        T.ToTensor(),
        T.Normalize((0.5,) * channels, (0.25,) * channels),
    ])  # fmt: skip


def _mapped(transform: Any, rows: dict[str, Any]) -> dict[str, Any]:
    return {"x": [transform(picture) for picture in rows["image"]]}


def _by_column(rows: list[dict[str, torch.Tensor]]) -> list[torch.Tensor]:
    return [torch.stack([row["x"] for row in rows])]


def peers(files: Path, side: int, folder: Path) -> dict[str, Epoch]:
    """Return the usual loaders over the files."""
    from torchvision.datasets import ImageFolder

    settings = {
        "batch_size": BATCH, "shuffle": True, "num_workers": WORKERS, "drop_last": True, "persistent_workers": True,
    }  # fmt: skip

    def first_of(loader: DataLoader[Any]) -> Iterator[torch.Tensor]:
        for batch in loader:
            yield batch[0]

    found = {
        "torchvision ImageFolder + DataLoader": DataLoader(ImageFolder(str(files), by_torchvision(side)), **settings),
        "albumentations + DataLoader": DataLoader(ByAlbumentations(sorted(files.rglob("*.*")), side), **settings),
    }
    try:
        import datasets
    except ImportError:
        print("datasets is not installed: Hugging Face is left out", file=sys.stderr)
    else:
        datasets.disable_progress_bars()
        rows = datasets.load_dataset("imagefolder", data_dir=str(files), split="train", cache_dir=str(folder / "hf"))
        rows.set_transform(partial(_mapped, by_torchvision(side)))
        name = "Hugging Face datasets + DataLoader"
        found[name] = DataLoader(rows, collate_fn=_by_column, **settings)
    return {name: partial(first_of, loader) for name, loader in found.items()}


def ours(images: Images, side: int) -> dict[str, Epoch]:
    """Return ferdata's loader with both engines, and the bare operators on an array in memory."""
    channels, n = SIZES[side], len(images)
    mean, std = (0.5,) * channels, (0.25,) * channels
    whole = images.pixels.clone()
    count = iter(range(1 << 30))

    def loader(engine: str) -> Epoch:
        made = Loader(images, POLICY, mean, std, BATCH, "cpu", engine)

        def epoch() -> Iterator[torch.Tensor]:
            return (b.x for b in made.epoch(torch.randperm(n), next(count)))

        return epoch

    def bare() -> Iterator[torch.Tensor]:
        order, generator = torch.randperm(n), torch.Generator().manual_seed(next(count))
        for start in range(0, n - BATCH + 1, BATCH):
            numbers = draw(POLICY, BATCH, side, generator)
            chosen = whole[order[start : start + BATCH]]
            yield augment.on_device(chosen, numbers, torch.tensor(mean), torch.tensor(std))

    return {
        "torch, in memory": bare,
        "ferdata, workers (albumentations)": loader("workers"),
        "ferdata, device (OpenCV)": loader("device"),
    }


def timed(epoch: Epoch) -> tuple[float, float]:
    """Run an epoch; return images per second and milliseconds to the first batch."""
    start, first, seen = time.perf_counter(), 0.0, 0
    for x in epoch():
        first = first or time.perf_counter() - start
        assert x.dtype == torch.float32
        seen += len(x)
    return seen / (time.perf_counter() - start), 1000 * first


def measure(side: int, given: argparse.Namespace, folder: Path) -> list[tuple[str, float, float, float]]:
    """Return (name, images per second, ms to the first batch, ms per batch) of everybody at one size."""
    count = given.images if side < 200 else given.images // 2
    files = write_files(folder, given.folder, side, count)
    everybody = peers(files, side, folder) | ours(pack(files, folder, side), side)
    for epoch in everybody.values():
        timed(epoch)
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in everybody}
    for _ in range(given.repeats):
        for name, epoch in everybody.items():
            runs[name].append(timed(epoch))
    rows = []
    for name, found in runs.items():
        rate, first = (statistics.median(v) for v in zip(*found, strict=True))
        rows.append((name, rate, first, 1000 * BATCH / rate))
    return rows


NETS = {"resnet_fer": 48, "mobilenetv3_large_100": 112}


def learning(name: str, given: argparse.Namespace, folder: Path) -> list[tuple[str, str, float]]:
    """Return (net, where its batches come from, images learnt from per second): medians, in turn."""
    from zoo import backbones

    side, device = NETS[name], "cuda" if torch.cuda.is_available() else "cpu"
    channels = SIZES[side]
    images = pack(write_files(folder, given.folder, side, 2048), folder, side)
    net = backbones.build(backbones.backbone(name), channels, 7, side).to(device, memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(net.parameters(), lr=1e-3)
    made = Loader(images, POLICY, (0.5,) * channels, (0.25,) * channels, BATCH, device)
    cached = next(made.epoch(torch.arange(len(images)), 0)).x

    def between() -> Iterator[torch.Tensor]:
        order, generator = torch.randperm(len(images)), torch.Generator().manual_seed(0)
        mean, std = torch.full((channels,), 0.5), torch.full((channels,), 0.25)
        for start in range(0, given.steps * BATCH, BATCH):
            chosen = images.pixels[order[start : start + BATCH]].to(device)
            yield augment.apply(chosen, draw(POLICY, BATCH, side, generator), mean.to(device), std.to(device))

    sources: dict[str, Epoch] = {
        "one batch over and over": lambda: iter([cached] * given.steps),
        "the loader": lambda: (b.x for b in made.epoch(torch.randperm(len(images))[: given.steps * BATCH], 1)),
        "made between the steps": between,
    }

    def learn(source: Epoch) -> float:
        seen, start = 0, time.perf_counter()
        for x in source():
            optimiser.zero_grad()
            net(x).logsumexp(1).mean().backward()
            optimiser.step()
            seen += len(x)
        if device == "cuda":
            torch.cuda.synchronize()
        return seen / (time.perf_counter() - start)

    for source in sources.values():
        learn(source)
    runs: dict[str, list[float]] = {what: [] for what in sources}
    for _ in range(given.repeats):
        for what, source in sources.items():
            runs[what].append(learn(source))
    made.close()
    return [(f"{name}, {side} px, {device}", what, statistics.median(found)) for what, found in runs.items()]


def show(table: Table, lines: list[str], cells: list[str]) -> None:
    """Add a row to the table and to the Markdown."""
    table.add_row(*cells)
    lines.append(f"| {' | '.join(cells)} |")


def headed(words: list[str], numbers: list[str]) -> tuple[Table, list[str]]:
    """Return an empty table, and the head of the same in Markdown."""
    table = Table(*words, box=None, header_style="bold")
    for head in numbers:
        table.add_column(head, justify="right")
    heads = f"| {' | '.join([*words, *numbers])} |"
    return table, [heads, f"|{'---|' * len(words)}{'---:|' * len(numbers)}"]


def main() -> None:
    """Measure at every size, and print the two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=4096, help="at 48 and 112 px; half of it at 224")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=16, help="of learning, 16 at most")
    parser.add_argument("--folder", type=Path, help="faces to take [default: drawn ones]")
    parser.add_argument("--markdown", type=Path, help="write the table there too")
    given = parser.parse_args()
    figures = ["images/s", "against torchvision", "against torch in memory", "first batch, ms", "a batch, ms"]
    table, lines = headed(["size", "batches by"], figures)
    learnt, more = headed(["net", "learns from"], ["images/s", "against one batch"])
    with tempfile.TemporaryDirectory() as temporary:
        for side in SIZES:
            rows = measure(side, given, Path(temporary))
            rate = {name: found for name, found, _, _ in rows}
            for name, found, first, each in rows:
                usual = found / rate["torchvision ImageFolder + DataLoader"]
                cells = [
                    f"{side}", name, f"{found:,.0f}", f"{usual:.1f}", f"{found / rate['torch, in memory']:.2f}",
                    f"{first:.1f}", f"{each:.1f}",
                ]  # fmt: skip
                show(table, lines, cells)
        for name in NETS:
            own = Path(temporary, name)
            own.mkdir()
            found_here = learning(name, given, own)
            for net, what, rate_now in found_here:
                show(learnt, more, [net, what, f"{rate_now:,.0f}", f"{rate_now / found_here[0][2]:.2f}"])
    screen = Console(width=150)
    screen.print(table, "", learnt, "", sep="\n")
    about = (
        f"Python {platform.python_version()}, torch {torch.__version__}, {os.cpu_count()} cores, "
        f"{torch.get_num_threads()} torch threads, {given.images} images, median of {given.repeats}"
    )
    print(about)
    if given.markdown:
        given.markdown.write_text("\n".join([*lines, "", *more, "", about, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
