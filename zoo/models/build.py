"""Backbones by name: nets of our own, torchvision's that timm lacks, and any classifier that timm can build."""

import functools
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models import group_parameters
from torch import Tensor, nn
from torch.func import functional_call

import zoo.models.architectures  # noqa: F401  # registers ours with timm
from ferdata.errors import BadOption
from zoo.models import stems
from zoo.models.architectures.contract import TooSmall
from zoo.models.catalogue import own
from zoo.models.heads import LINEAR, Head, attach, redraw
from zoo.models.names import check, known_to_timm
from zoo.models.weights import download, files, terms
from zoo.models.weights.fit import put
from zoo.models.weights.terms import Origin

Statistics = tuple[float, ...]
FLOOR = 16  # pixels: nothing can be seen of a face below, even where a net would run
CEILING = 1024


@dataclass(frozen=True)
class Backbone:
    """What training must know of a net before it is built.

    `name` is its architecture, as timm knows it, whatever it was asked for by. `size` is its own input side in pixels
    (None: it takes the images as they come); `lr` and `weight_decay` suit `optimizer` at a batch of 128. `mean` and
    `std`, in 0..1, are those that the weights to start from were made with: timm's (`pretrained`), those of the
    `source` (`hf-hub:owner/name`, `local-dir:folder`) or those of the file `weights`; None where it starts from none.
    `arguments` are those of a source's net that differ from its architecture's, and `known` timm's configuration.
    """

    name: str
    size: int | None
    optimizer: str
    lr: float
    weight_decay: float
    mean: Statistics | None = None
    std: Statistics | None = None
    pretrained: bool = False
    weights: Path | None = None
    source: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    known: Any = None

    def statistics(self, channels: int) -> tuple[Statistics, Statistics] | None:
        """Return mean and std for so many channels, None if the images' own should be taken.

        For one channel they are averaged: timm adds a first layer's three kernels up, which is right for grey tripled
        only if the three are normalised alike.
        """
        return None if self.mean is None or self.std is None else for_channels((self.mean, self.std), channels)


@dataclass(frozen=True)
class Begun:
    """A net with its first weights, what should be said of them, where they are from, and what pixels they expect.

    `origin` is None for weights that are drawn, and `statistics` (mean, std per channel, in 0..1) then too.
    """

    net: nn.Module
    notes: tuple[str, ...] = ()
    origin: Origin | None = None
    statistics: tuple[Statistics, Statistics] | None = None


def for_channels(statistics: tuple[Statistics, Statistics], channels: int) -> tuple[Statistics, Statistics]:
    """Return mean and std for so many channels: as they are, or averaged."""
    mean, std = statistics
    if channels == len(mean):
        return mean, std
    return (sum(mean) / len(mean),) * channels, (sum(std) / len(std),) * channels


def backbone(name: str, pretrained: bool = False, weights: str | Path | None = None) -> Backbone:
    """Return what is known of the backbone `name`: ours, torchvision's, timm's, or a source (`hf-hub:`, `local-dir:`).

    `pretrained` asks for published weights (a download, but for a folder's), `weights` for those of a file. Raises
    BadOption for an unknown name, with the close ones, and for weights that there are none of; MissingModel for a
    source that is not to be had.
    """
    source = name if download.is_source(name) else None
    saved = download.saved(name) if source else None
    name = saved.architecture if saved else name
    check(name)
    known = saved.known if saved else known_to_timm(name)
    if pretrained and not known.has_weights:
        raise BadOption(f"There are no pretrained weights of {name}.", "Leave out --pretrained, or name another tag.")
    starts = pretrained or weights is not None
    card = own().get(name)
    return Backbone(
        name,
        size=card.size if card else known.input_size[-1] if starts or known.fixed_input_size else None,
        optimizer=card.optimizer if card else "adamw",
        lr=card.lr if card else 3e-4 if starts else 1e-3,
        weight_decay=card.weight_decay if card else 0.05,
        mean=tuple(known.mean) if starts else None,
        std=tuple(known.std) if starts else None,
        pretrained=pretrained,
        weights=None if weights is None else Path(weights),
        source=source,
        arguments=saved.arguments if saved else {},
        known=known,
    )


def build(card: Backbone, channels: int, classes: int, size: int, **options: Any) -> nn.Module:
    """Return the net of `begin`, which says what the options are, and nothing more. Raises what that raises."""
    return begin(card, channels, classes, size, **options).net


def begin(
    card: Backbone,
    channels: int,
    classes: int,
    size: int,
    *,
    stem: str = "native",
    head: Head = LINEAR,
    dropout: float | None = None,
    drop_path: float = 0.0,
    aux: bool = False,
) -> Begun:
    """Build the net, its weights drawn or loaded, and try it on two blank images of `size` pixels and `channels`.

    `stem` "small" looks at every pixel first (zoo.models.stems); `dropout` is the rate before the last layer (None: the
    net's own), `drop_path` that of leaving residual branches out, and `aux` adds an auxiliary classifier: such a net
    returns (logits, its logits) while training. The net is in eval mode. Raises BadOption for weights of another net
    and, with the smallest that works, for an input that is too small; MissingModel for weights that are not to be had.
    """
    options: dict[str, Any] = {"drop_rate": dropout, "drop_path_rate": drop_path or None, "aux": aux or None}
    begun = Begun(nn.Identity())
    try:
        begun = _first(card, channels, classes, size, options)
        net, notes = begun.net, begun.notes
        if stems.set_stem(net, stem, card.name) and begun.origin:
            notes += (f"{card.name}'s 7x7 stem has no weights for a small one: its first layer starts anew.",)
        attach(net, head, classes)
        if begun.origin:
            redraw(net)
        reason = _refusal(net, channels, classes, size)
    except TooSmall as error:
        reason = str(error)
    if reason:
        raise _refused(card, channels, size, stem, reason)
    return replace(begun, net=net.eval(), notes=notes)


def _refused(card: Backbone, channels: int, size: int, stem: str, reason: str) -> BadOption:
    """Return the error of a net that cannot take an input, with the smallest that it can."""
    least = smallest(card, channels, stem=stem, above=size)
    wish = f"The smallest that works is {least} px: --size {least}." if least else "Choose another backbone."
    return BadOption(f"{card.name} cannot take {size} px with {channels} channels: {reason}", wish)


def _first(card: Backbone, channels: int, classes: int, size: int, options: dict[str, Any]) -> Begun:
    """Build the net with the weights that the card asks for. Raises BadOption, MissingModel."""
    file = card.weights
    if card.source and card.pretrained:
        file = download.weights_of(card.source)
    by_timm = card.pretrained and not card.source
    net = _construct(card, channels, classes, size, options, by_timm)
    own = card.statistics(channels)
    if file is not None:
        taken = put(net, card.name, file, files.read(file))
        if card.source and card.pretrained:
            return Begun(net, (taken.note,), terms.of_source(card.source), own)
        told = for_channels(taken.statistics, channels) if taken.statistics else own
        return Begun(net, (taken.note,), terms.of_file(file, taken.naming), told)
    if by_timm:
        return Begun(net, (), terms.of_timm(card.name, card.known), own)
    if card.source:
        return Begun(net, (f"{card.source} gives its architecture alone; add --pretrained for its weights.",))
    return Begun(net)


def _construct(
    card: Backbone, channels: int, classes: int, size: int, options: dict[str, Any], by_timm: bool = False
) -> nn.Module:
    """Build with timm, with weights of its own if wanted; nets of a fixed size are told `size`.

    Raises BadOption for what the net does not have, MissingModel for weights that cannot be fetched.
    """
    given = {**card.arguments, **{name: value for name, value in options.items() if value is not None}}
    given |= {"in_chans": channels, "num_classes": classes}
    if card.known.fixed_input_size:
        given["img_size"] = size
    while True:
        create = functools.partial(timm.create_model, card.name, **given)
        try:
            net: nn.Module = download.fetched(create, card.name) if by_timm else create(pretrained=False)
            return net
        except TypeError as error:
            unknown = next((name for name in given if f"'{name}'" in str(error)), None)
            if unknown == "img_size":
                del given["img_size"]
                continue
            words = {"drop_rate": "dropout", "drop_path_rate": "drop path", "aux": "auxiliary classifier"}
            if unknown not in words:
                raise
            raise BadOption(f"{card.name} has no {words[unknown]}.", "Leave that option out.") from None


def _refusal(net: nn.Module, channels: int, classes: int, size: int) -> str | None:
    """Return why the net does not take such images, in eval or train mode; None if it does.

    Tried without arithmetic, on the meta device; what cannot be tried there is tried in earnest.
    """
    was = net.training
    try:
        for train in (False, True):
            shape = _shape(net.train(train), channels, size)
            if shape != (2, classes):
                return f"it gives {shape}, not logits"
    except (RuntimeError, AssertionError, ValueError, IndexError, ZeroDivisionError) as error:
        return str(error).splitlines()[0] if str(error) else type(error).__name__
    finally:
        net.train(was)
    return None


def _shape(net: nn.Module, channels: int, size: int) -> tuple[int, ...]:
    """Return the shape of the logits of two blank images."""
    tensors = {**dict(net.named_parameters()), **dict(net.named_buffers())}
    with torch.no_grad():
        try:
            meta = {name: torch.empty_like(t, device="meta") for name, t in tensors.items()}
            out = functional_call(net, meta, torch.empty(2, channels, size, size, device="meta"))
        except (RuntimeError, NotImplementedError):
            if any(t.is_meta for t in tensors.values()):
                raise
            if net.training:  # in earnest it would move the running statistics
                return _shape(net.eval(), channels, size)
            out = net(torch.zeros(2, channels, size, size))
    out = out[0] if isinstance(out, tuple) else out
    return tuple(out.shape) if isinstance(out, Tensor) else (len(out),)


def blank(card: Backbone, channels: int, classes: int, size: int, *, stem: str = "native") -> nn.Module:
    """Build the net on the meta device: every shape, and no numbers. Raises what timm raises for a size it refuses."""
    with torch.device("meta"), _quiet():
        net = _construct(card, channels, classes, size, {})
        stems.set_stem(net, stem, card.name)
    return net


def blank_that_runs(card: Backbone, channels: int, classes: int, size: int, *, stem: str = "native") -> nn.Module:
    """Return the net of `blank`. Raises BadOption for an input that is too small, with the smallest that works."""
    try:
        net = blank(card, channels, classes, size, stem=stem)
        reason = _refusal(net, channels, classes, size)
    except (TooSmall, AssertionError, RuntimeError) as error:
        reason = str(error)
    if reason:
        raise _refused(card, channels, size, stem, reason)
    return net


def has_depthwise(card: Backbone) -> bool:
    """Say whether the net filters its channels one by one, as EfficientNets and MobileNets do."""
    net = blank(card, 3, 2, card.size or card.known.input_size[-1])
    return any(1 < layer.groups == layer.in_channels for layer in net.modules() if isinstance(layer, nn.Conv2d))


def smallest(card: Backbone, channels: int = 3, *, stem: str = "native", above: int = FLOOR - 1) -> int | None:
    """Return the smallest input side, in pixels, above `above` that the net takes, found by trying; None if none.

    Where sizes that work and sizes that do not take turns (a multiple of 32 is wanted, say), it is one that works.
    """

    def works(size: int) -> bool:
        try:
            return _refusal(blank(card, channels, 2, size, stem=stem), channels, 2, size) is None
        except (RuntimeError, AssertionError, ValueError, NotImplementedError, ZeroDivisionError):
            return False

    tries: list[int] = sorted({above + 1, card.known.input_size[-1], 32, 64, 96, 128, 224, 256, 384, 512, CEILING})
    high = next((size for size in tries if size > above and works(size)), None)
    if high is None:
        return None
    low = max((size for size in tries if above < size < high), default=above)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if works(middle) else (middle, high)
    return high


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep timm's log still while nets are built only to be tried."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def blocks(net: nn.Module) -> list[list[str]]:
    """Return the names of the net's parameters in groups, whole blocks from the stem on; the last is the head.

    Each parameter is in one group, and no block is cut in two: they are what is unfrozen at once, and what a rate that
    decays with depth counts. Call it with the net as `build` returns it.
    """
    names = [name for name, _ in net.named_parameters()]
    heads = _heads(net)
    last = [name for name in names if name.startswith(heads)]
    body: list[list[str]] = []
    for group in _groups(net, names):
        rest = [name for name in group if not name.startswith(heads)]
        if len(rest) < len(group) and body:  # a last normalisation beside the head goes with the last block
            body[-1] += rest
        else:
            body.append(rest)
    strays = sorted(set(names) - set(last) - {name for group in body for name in group}, key=names.index)
    return [group for group in [*body, strays, last] if group]


def _heads(net: nn.Module) -> tuple[str, ...]:
    """Return the prefixes of the parameters of the last layer, and of an auxiliary classifier."""
    last = net.get_classifier()  # type: ignore[operator]  # timm's contract
    modules = list(last) if isinstance(last, tuple | list) else [last]
    found = [f"{name}." for name, module in net.named_modules() if any(module is m for m in modules)]
    return (*found, "auxiliary.")


def _groups(net: nn.Module, names: list[str]) -> list[list[str]]:
    try:
        matched = group_parameters(net, net.group_matcher(coarse=True))  # type: ignore[operator]
        return [list(matched[key]) for key in sorted(matched)]
    except (AssertionError, AttributeError, NotImplementedError):  # a few of timm's have none
        tops = list(dict.fromkeys(name.partition(".")[0] for name in names))
        return [[name for name in names if name.partition(".")[0] == top] for top in tops]


def parameters(net: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(p.numel() for p in net.parameters() if p.requires_grad)
