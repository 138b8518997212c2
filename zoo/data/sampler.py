"""Which images an epoch shows, and in what order: each once, or the rare ones more often."""

import torch
from torch import Tensor

from ferdata.errors import BadOption, choose_one

SAMPLERS = ("shuffle", "balanced", "sqrt", "dataset")


def order(how: str, hard: Tensor, dataset_ids: Tensor, generator: torch.Generator) -> Tensor:
    """Return the positions of an epoch's images in the order of showing, int64 (n,), as many as there are images.

    `hard` int64 (n,) is each image's class, -1 for none; `dataset_ids` int64 (n,) numbers its dataset.

    - shuffle: each image once;
    - balanced: every class equally often;
    - sqrt: a class as often as the square root of its count says, half-way between the two (Kang et al. 2020,
      arXiv 1910.09217);
    - dataset: every dataset equally often, as it comes within each.

    The last three repeat images: each is shown the whole number below or above its expected count, so that an epoch
    keeps to the proportions. An image without a class is shown as often as the average one. Raises BadOption.
    """
    if how not in SAMPLERS:
        raise BadOption(f"There is no sampler {how!r}.", choose_one(how, SAMPLERS))
    if how == "shuffle":
        return torch.randperm(len(hard), generator=generator)
    return _systematic(expected(how, hard, dataset_ids), dataset_ids if how == "dataset" else hard, generator)


def expected(how: str, hard: Tensor, dataset_ids: Tensor) -> Tensor:
    """Return how often an epoch in the order of `order` shows each image, in the mean over many; float64 (n,)."""
    times = torch.ones(len(hard), dtype=torch.float64)
    if how == "shuffle":
        return times
    kind = dataset_ids if how == "dataset" else hard
    known = kind >= 0
    counts = torch.bincount(kind[known]).double()
    share = counts[kind[known]] ** (-0.5 if how == "sqrt" else -1.0)
    times[known] = share * known.sum() / share.sum()
    return times


def _systematic(expected: Tensor, kind: Tensor, generator: torch.Generator) -> Tensor:
    """Return n positions, each as often as the whole number below or above its `expected` count, whose sum is n."""
    n = len(expected)
    # One point per unit length, all with one random offset. Kinds lie side by side, so that each gets its share
    # exactly; within a kind the order is random, so that those rounded up are any.
    shuffled = torch.randperm(n, generator=generator)
    shuffled = shuffled[kind[shuffled].argsort(stable=True)]
    ends = expected[shuffled].cumsum(0)
    points = torch.arange(n, dtype=torch.float64) + torch.rand(1, generator=generator, dtype=torch.float64)
    chosen = shuffled[torch.searchsorted(ends, points, right=True).clamp(max=n - 1)]
    return chosen[torch.randperm(n, generator=generator)]
