"""Which rate suits a head alone: one linear layer on the frozen features of a net, at several rates, judged on val.

    python benchmarks/head_rates.py merged.parquet --backbone tf_efficientnet_lite0 --size 96 --part 4 \
        --weights tf_efficientnet_lite0.safetensors

The features are computed once, without augmentation; `--part 4` takes every fourth image of train. AdamW, one cycle,
batch 128, seed 0; the best epoch on val. Without `--weights` the net is drawn.
"""

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ferdata.manifest import Manifest
from zoo.augment.apply import as_float, normalise
from zoo.data.rows import Images, load, read_rows
from zoo.models.build import Begun, backbone, begin

RATES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0, 3.0)
BATCH = 128


def main() -> None:
    """Print a table: a line an epoch count, a column a rate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--backbone", required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--part", type=int, default=1)
    parser.add_argument("--epochs", type=int, nargs="+", default=(1, 5))
    given = parser.parse_args()
    rows = read_rows(Manifest(given.manifest), None, None, "crossentropy")
    where = {split: rows.where(split, "crossentropy") for split in ("train", "val")}
    where["train"] = where["train"][:: given.part]
    parts = load(rows, where, given.size, 3, None)
    torch.manual_seed(0)
    card = backbone(given.backbone, weights=given.weights)
    begun = begin(card, 3, len(rows.taxonomy.classes), given.size)
    seen = {split: features(begun, part, parts["train"].pixels) for split, part in parts.items()}
    print(f"{given.backbone}, {given.size} px, {len(seen['train']):,} images, weights: {given.weights or 'drawn'}")
    print(f"features: {seen['train'].shape[1]}, standard deviation {float(seen['train'].std()):.3f}\n")
    print(f"| epochs | {' | '.join(f'{rate:g}' for rate in RATES)} |\n|{'---|' * (len(RATES) + 1)}")
    for epochs in given.epochs:
        shares = [learnt(seen, parts, rate, epochs) for rate in RATES]
        print(f"| {epochs} | {' | '.join(f'{share:.1%}' for share in shares)} |", flush=True)


def features(begun: Begun, part: Images, train: Tensor) -> Tensor:
    """Return what a head would read of each image, float32 (n, width)."""
    net = begun.net.eval()
    mean, std = (torch.tensor(each) for each in begun.statistics or statistics(train))
    found = []
    with torch.inference_mode():
        for pixels in part.pixels.split(BATCH):
            x = normalise(as_float(pixels), mean, std)
            found.append(net.forward_head(net.forward_features(x), pre_logits=True))
    return torch.cat(found).clone()


def statistics(pixels: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of a sample of the images, for each channel."""
    x = as_float(pixels[::50])
    return tuple(x.mean((0, 2, 3)).tolist()), tuple(x.std((0, 2, 3)).tolist())


def learnt(seen: dict[str, Tensor], parts: dict[str, Images], rate: float, epochs: int) -> float:
    """Train a linear layer, and return its best accuracy on val."""
    torch.manual_seed(0)
    x, soft = seen["train"], parts["train"].soft
    head = nn.Linear(x.shape[1], soft.shape[1])
    steps = len(x) // BATCH
    optimizer = torch.optim.AdamW(head.parameters(), lr=rate, weight_decay=0.05)
    clock = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=epochs * steps, pct_start=0.25)
    best = 0.0
    for _ in range(epochs):
        order = torch.randperm(len(x))
        for at in order[: steps * BATCH].split(BATCH):
            optimizer.zero_grad()
            F.cross_entropy(head(x[at]), soft[at]).backward()
            optimizer.step()
            clock.step()
        right = head(seen["val"]).argmax(1) == parts["val"].hard
        best = max(best, float(right.float().mean()))
    return best


if __name__ == "__main__":
    main()
