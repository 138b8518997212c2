"""Images learnt from per second by `ferdata train`'s own loop: from its loader, and from one batch over and over.

Where the first is as fast as the second, the loader is hidden. On a GPU, the usual loaders feed the same loop too.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from speed.batches import ASPECT, CROP, FLIP, by_torchvision
from speed.inputs import SOME, Inputs
from speed.report import Section
from speed.settings import Settings, median

ON_CPU = {"resnet_fer": (48, 1), "mobilenetv3_small_100": (112, 3)}  # net -> side, channels
ON_CUDA = (("resnet18", 48, 3), ("resnet18", 112, 3))
NAMES = {
    "cached": "one batch over and over",
    "ferdata": "ferdata's loader",
    "torchvision": "torchvision ImageFolder + DataLoader, 8 workers",
    "timm": "timm's loader, 8 workers",
}
OURS = ("cached", "ferdata")
WORKERS = 8
HIDDEN = 0.95


def section(inputs: Inputs, settings: Settings) -> Section:
    """Measure on the processor, and on a GPU where there is one."""
    made = Section("Learning", ["net", "learns from"], ["images/s", "of one batch over and over"])
    found = settings.measure("learning:devices").found
    some = inputs.manifest(SOME // 4 if settings.quick else SOME)
    for backbone, (side, channels) in ON_CPU.items():
        given = {"backbone": backbone, "size": side, "channels": channels, "device": "cpu"}
        _net(made, settings, f"{backbone}, {side} px, processor", OURS, manifest=some, **given)
    for backbone, side, channels in ON_CUDA:
        name = f"{backbone}, {side} px, bf16, CUDA"
        if not found["cuda"]:
            made.rows += [[name, NAMES[source], "not run", ""] for source in NAMES]
            made.not_run(f"learning, {name}", f"{HIDDEN:g} or more", "there is no CUDA device here")
            continue
        given = {"backbone": backbone, "size": side, "channels": channels, "device": "cuda", "precision": "bf16-mixed"}
        files = inputs.ferplus() / "data"
        _net(
            made, settings, f"{name} ({found['cuda']})", tuple(NAMES), manifest=inputs.manifest(), files=files, **given
        )
    made.notes.append(
        "An epoch of FER+ (on the processor: of a part of it) under recipe default, the wait for its first batch "
        "included; a process a net, the sources in turn."
    )
    return made


def _net(made: Section, settings: Settings, name: str, sources: tuple[str, ...], **given: Any) -> None:
    repeats = max(3, settings.repeats)
    given |= {"sources": sources, "repeats": 1 if settings.quick else repeats, "work": str(given["manifest"]) + ".runs"}
    found = {source: median(rates) for source, rates in settings.measure("learning:rates", **given).found.items()}
    for source, rate in found.items():
        made.rows.append([name, NAMES[source], f"{rate:,.0f}", f"{rate / found['cached']:.3f}"])
    made.at_least(f"learning, {name}", found["ferdata"] / found["cached"], HIDDEN, "")


def devices() -> dict[str, Any]:
    """Return the name of the first GPU, if there is one."""
    import torch

    return {"cuda": torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""}


def rates(
    manifest: str,
    sources: list[str],
    repeats: int,
    work: str,
    backbone: str,
    size: int,
    channels: int,
    device: str,
    precision: str = "auto",
    files: str = "",
) -> dict[str, list[float]]:
    """Return images learnt from per second, by where the batches come from; one untimed epoch of each goes first."""
    import torch

    from zoo.run.run_folder import Folder
    from zoo.training import loop
    from zoo.training.distributed import Place
    from zoo.training.resolve import resolve
    from zoo.training.schedule import Schedule
    from zoo.training.setup import setup

    named = {
        "backbone": backbone, "size": size, "channels": channels, "device": device, "precision": precision,
        "allow_leak": True, "pretrained": False,
    }  # fmt: skip
    ready = resolve(Path(manifest), Folder(Path(work)), "default", (), named)
    with setup(ready, None, Schedule(None), Place(), None, lambda _: None) as (context, state):
        feeds = _feeds(context, state, files, channels)

        def learn(source: str) -> float:
            begin = time.perf_counter()
            seen = loop.learn_epoch(context, state, feeds[source]())["images"]
            if device == "cuda":
                torch.cuda.synchronize()
            return seen / (time.perf_counter() - begin)

        for source in sources:
            learn(source)
        found: dict[str, list[float]] = {source: [] for source in sources}
        for _ in range(repeats):
            for source in sources:
                found[source].append(learn(source))
    return found


def _feeds(context: Any, state: Any, files: str, channels: int) -> dict[str, Callable[[], Iterator[Any]]]:
    """Return what makes an epoch's batches, by source."""
    from zoo.data.batches import Batch
    from zoo.training import loop

    first = next(loop.begin_epoch(context, state))

    def fed(loader: Any) -> Iterator[Batch]:
        for _, (x, _) in zip(range(context.steps), loader, strict=False):
            yield Batch(x.to(context.fabric.device, non_blocking=True), first.soft, first.where)

    feeds: dict[str, Callable[[], Iterator[Any]]] = {
        "cached": lambda: iter([first] * context.steps),
        "ferdata": lambda: loop.begin_epoch(context, state),
    }
    if files:
        usual, theirs = _data_loader(context, files, channels), _timm(context, files, channels)
        feeds |= {"torchvision": lambda: fed(usual), "timm": lambda: fed(theirs)}
    return feeds


def _data_loader(context: Any, files: str, channels: int) -> Any:
    from torch.utils.data import DataLoader
    from torchvision.datasets import ImageFolder

    rows = ImageFolder(files, by_torchvision(context.config.size, channels))
    return DataLoader(
        rows, batch_size=context.config.batch, shuffle=True, num_workers=WORKERS, drop_last=True,
        persistent_workers=True, pin_memory=context.fabric.device.type == "cuda",
    )  # fmt: skip


def _timm(context: Any, files: str, channels: int) -> Any:
    """Return timm's loader, as its training script makes it, with its own augmentation set to crop and flip."""
    from timm.data import create_dataset, create_loader

    return create_loader(
        create_dataset("", root=files), input_size=(channels, context.config.size, context.config.size),
        batch_size=context.config.batch, is_training=True, scale=CROP, ratio=ASPECT, hflip=FLIP, color_jitter=0.0,
        mean=(0.5,) * channels, std=(0.25,) * channels, num_workers=WORKERS, device=context.fabric.device,
        pin_memory=context.fabric.device.type == "cuda",
    )  # fmt: skip
