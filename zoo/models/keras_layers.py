"""A net's layers as Keras counts them: what "the last 20 layers" of a Keras script are in timm's net.

Keras gives a layer to each operation: an activation, an addition and a reshape count as much as a convolution does. For
EfficientNet B0 to B7 and V2 the count is that of keras.applications (Keras 3.15, `include_top=False`), from the end;
any other net is counted by its own modules, in the order in which it holds them.
"""

from collections.abc import Iterator

from timm.layers import BatchNormAct2d
from torch import nn

from zoo.models.build import blocks

Layer = tuple[str, ...]  # names of its parameters; none for what only computes
NOTHING: Layer = ()
AFTER = ("SelectAdaptivePool2d", "AdaptiveAvgPool2d", "Pooled", "Flatten", "Dropout")  # what ends a net without a head


def keras_layers(net: nn.Module) -> list[Layer]:
    """Return the layers of `net`, as `build` returns it, from the first to the last one before pooling and head."""
    head = set(blocks(net)[-1])
    layers = [(layer, kind) for layer, kind in _layers(net, "") if head.isdisjoint(layer)]
    while layers and not layers[-1][0] and layers[-1][1] in AFTER:
        layers.pop()
    return [layer for layer, _ in layers]


def last_layers(net: nn.Module, count: int) -> set[str]:
    """Return the names of the parameters in the last `count` layers before pooling and head."""
    layers = keras_layers(net)
    return {name for layer in layers[max(0, len(layers) - count) :] for name in layer}


def _layers(module: nn.Module, name: str) -> Iterator[tuple[Layer, str]]:
    """Yield each layer of `module`, whose parameters' names begin with `name`, and the kind of module that it is in."""
    kind = type(module).__name__
    own = tuple(f"{name}{key}" for key, _ in module.named_parameters(recurse=False))
    parts = [(f"{name}{key}.", part) for key, part in module.named_children() if not isinstance(part, nn.Identity)]
    if isinstance(module, BatchNormAct2d):
        yield own, kind
        if not isinstance(module.act, nn.Identity):
            yield NOTHING, kind
        return
    if kind == "SqueezeExcite":  # pooled, reshaped, two convolutions with their activations inside, multiplied
        yield from [(NOTHING, kind)] * 2
        yield from ((_all(part, key), kind) for key, part in parts if isinstance(part, nn.Conv2d))
        yield NOTHING, kind
        return
    if _is_padded(module):
        yield NOTHING, kind
    if own or not parts:
        yield own, kind
    for key, part in parts:
        yield from _layers(part, key)
    if getattr(module, "has_skip", False):  # the branch is left out at random, then added
        yield from [(NOTHING, kind)] * 2


def _all(module: nn.Module, name: str) -> Layer:
    return tuple(f"{name}{key}" for key, _ in module.named_parameters())


def _is_padded(module: nn.Module) -> bool:
    """Say whether Keras pads in a layer of its own before this one: a convolution by channel that halves the map."""
    return isinstance(module, nn.Conv2d) and module.stride == (2, 2) and module.groups == module.in_channels > 1
