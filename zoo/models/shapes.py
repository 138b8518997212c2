"""What becomes of an image in a net, found on the meta device: the last map, and every layer in the order it is run."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
IDLE = (nn.Identity, nn.Dropout)  # nothing happens in them outside training


@dataclass(frozen=True)
class Layer:
    """A layer's name, kind ("Conv2d 3x3 /2": its class, window and stride), output shape and trainable parameters.

    `output` is without the batch. A `block` stands above its layers, whose names begin with its own; its `parameters`
    are theirs, summed up.
    """

    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int
    block: bool = False


def last_map(net: nn.Module, channels: int, size: int) -> tuple[int, int] | None:
    """Return height and width of the map that a blank net's head pools, at `size` pixels; None where there is no map.

    A transformer's tokens are a map if they form a square.
    """
    with torch.no_grad():
        seen = net.eval().forward_features(_image(channels, size))  # type: ignore[operator]  # timm's contract
    if not isinstance(seen, Tensor):
        return None
    if seen.ndim == 4:
        channels_last = seen.shape[1] != net.num_features == seen.shape[3]  # Swin transformers
        height, width = seen.shape[1:3] if channels_last else seen.shape[2:4]
        return height, width
    tokens = seen.shape[1] - int(getattr(net, "num_prefix_tokens", 0)) if seen.ndim == 3 else 0
    side = math.isqrt(tokens)
    return (side, side) if side and side * side == tokens else None


def layers(net: nn.Module, channels: int, size: int) -> list[Layer]:
    """Return what an image of `size` pixels meets in a blank net, in this order: blocks, each before its layers.

    A layer that is run twice has its parameters the first time. Those that are used by no layer's own run (a scale that
    a block holds itself, an embedding of positions) come last as "other", so that the sum over layers is the net's.
    """
    leaves = dict(_leaves(net))
    above = {name: _block(net, name) for name in leaves}
    blocks = {name: net.get_submodule(name) for name in above.values() if name}
    run = _run(net, {**blocks, **leaves}, channels, size)
    outputs, counted, rows = dict(run), set[nn.Parameter](), list[Layer]()
    for name, output in run:
        if name not in leaves or isinstance(leaves[name], IDLE):
            continue
        if block := blocks.pop(above[name], None):
            of_all = _count(block, set())
            rows.append(Layer(above[name], type(block).__name__, outputs.get(above[name], ()), of_all, block=True))
        rows.append(Layer(name, _kind(leaves[name]), output, _count(leaves[name], counted)))
    rest = {name.rpartition(".")[2]: None for name, p in net.named_parameters() if p.requires_grad and p not in counted}
    return [*rows, Layer("other", ", ".join(rest), (), _count(net, counted))] if rest else rows


def _run(
    net: nn.Module, watched: Mapping[str, nn.Module], channels: int, size: int
) -> list[tuple[str, tuple[int, ...]]]:
    """Return the name and the output's shape of each watched module, in the order in which they end."""
    ended: list[tuple[str, tuple[int, ...]]] = []
    names = {module: name for name, module in watched.items()}
    hooks = [
        module.register_forward_hook(lambda module, _, output: ended.append((names[module], _shape(output))))
        for module in names
    ]
    try:
        with torch.no_grad():
            net.eval()(_image(channels, size))
    finally:
        for hook in hooks:
            hook.remove()
    return ended


def _leaves(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Yield the layers by name: modules without others in them, or whose others have no parameters (activations)."""
    for name, child in module.named_children():
        within = list(child.children())
        if not within or not (isinstance(child, CONTAINERS) or any(map(_has_parameters, within))):
            yield prefix + name, child
        else:
            yield from _leaves(child, f"{prefix}{name}.")


def _has_parameters(module: nn.Module) -> bool:
    return next(module.parameters(), None) is not None


def _kind(module: nn.Module) -> str:
    """Return what a layer is: its class, and of one with a window (a convolution, a pool) its side and its stride."""
    kind = type(module).__name__
    sides = {side: value for side in ("kernel_size", "stride") if (value := getattr(module, side, None)) is not None}
    if "kernel_size" not in sides:
        return kind
    height, width = _pair(sides["kernel_size"])
    stride = _pair(sides.get("stride", 1))[0]
    return f"{kind} {height}x{width}" + (f" /{stride}" if stride != 1 else "")


def _pair(value: Any) -> tuple[int, int]:
    return (value[0], value[-1]) if isinstance(value, tuple | list) else (value, value)


def _block(net: nn.Module, leaf: str) -> str:
    """Return the name of the outermost module around a layer that is more than a container; "" if there is none."""
    parts = leaf.split(".")
    above = (".".join(parts[:n]) for n in range(1, len(parts)))
    return next((name for name in above if not isinstance(net.get_submodule(name), CONTAINERS)), "")


def _count(module: nn.Module, counted: set[nn.Parameter]) -> int:
    """Return how many trainable parameters are not counted yet, and count them."""
    fresh = {p for p in module.parameters() if p.requires_grad} - counted
    counted |= fresh
    return sum(p.numel() for p in fresh)


def _image(channels: int, size: int) -> Tensor:
    return torch.empty(1, channels, size, size, device="meta")


def _shape(output: object) -> tuple[int, ...]:
    """Return the shape of a layer's output, without the batch; of several, the first's."""
    while isinstance(output, tuple | list) and output:
        output = output[0]
    return tuple(output.shape[1:]) if isinstance(output, Tensor) else ()
