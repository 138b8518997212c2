"""What there is in the zoo, and all about one of it: weighed and counted without arithmetic, on the meta device."""

import fnmatch
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ferdata.errors import BadOption, FerdataWarning
from ferdata.running import progress
from zoo.models import timm_nets
from zoo.models.catalogue import Card, Counted, Published, cards, own
from zoo.models.timm_nets import CLASSES

if TYPE_CHECKING:
    from zoo.models.shapes import Layer


COARSE = 2  # places a side: eyes and mouth are in the same one


def coarse(last_map: tuple[int, int] | None, size: int, native: int) -> str | None:
    """Return what to say of a last map that is too coarse for a face, at a `size` below the net's own; else None."""
    if last_map is None or size >= native or max(last_map) > COARSE:
        return None
    height, width = last_map
    return f"{height} x {width} at {size} px: too few places to tell where things are in a face; made for {native} px"


@dataclass(frozen=True)
class Entry:
    """A line of the list: a name, whose it is, its card's title and count, whether weights are published."""

    name: str
    library: str
    title: str
    size: int | None
    counted: Counted | None
    pretrained: bool


@dataclass(frozen=True)
class Description:
    """All about one backbone.

    `size` and `smallest` are input sides in pixels, `parameters` and `flops` (additions and multiplications for one
    image; a multiply-add is two) those at `size` with `channels` and `classes`; `native` is the net's own size. `map`
    is height and width of the last map, which the head pools, at `size`, None for a net without one. `mean` and `std`,
    in 0..1, are of the published weights, None where there are none. `features` is what a head reads.
    """

    name: str
    title: str
    library: str
    source: str
    licence: str
    weights: str
    tags: tuple[str, ...]
    size: int
    native: int
    smallest: int | None
    map: tuple[int, int] | None
    channels: int
    classes: int
    parameters: int
    flops: int
    features: int
    blocks: int
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    small_stem: bool
    published: tuple[Published, ...]
    caveat: str


def listing(pattern: str | None = None) -> list[Entry]:
    """Return our nets and torchvision's, and with a pattern all of timm's that match it too.

    A pattern without `*` or `?` may stand anywhere in a name. Raises BadOption if nothing matches.
    """
    ours = [
        Entry(c.name, c.library, c.title, c.size, c.counted, not c.weights.startswith("none")) for c in own().values()
    ]
    ours.sort(key=lambda entry: (entry.library, entry.name))
    if pattern is None:
        return ours
    wanted = pattern if set(pattern) & set("*?[") else f"*{pattern}*"
    found = [entry for entry in ours if fnmatch.fnmatch(entry.name, wanted)]
    found.extend(_timms(wanted))
    if not found:
        raise BadOption(
            f"No backbone's name matches {pattern!r}.", "Try a part of a name, such as `ferdata zoo list resnet`."
        )
    return found


def _timms(wanted: str) -> Iterator[Entry]:
    """Yield timm's nets of that pattern, from what is kept of them; of another timm without a count."""
    version, kept = timm_nets.kept()
    if timm_nets.is_of_this_timm():
        for name in fnmatch.filter(kept, wanted):
            net, card = kept[name], cards().get(name)
            counted = Counted(net.parameters, net.size, net.channels, CLASSES)
            yield Entry(name, "timm", card.title if card else "", net.size, counted, net.pretrained)
        return
    import timm  # seconds, which the lists above need not wait for

    warnings.warn(
        f"The parameters were counted in timm {version}, and this is {timm.__version__}: "
        "`ferdata zoo show NAME` counts them.",
        FerdataWarning,
        stacklevel=2,
    )
    weighted = {name.partition(".")[0] for name in timm.list_models(pretrained=True)}
    for name in timm.list_models(wanted):
        if name not in own():
            card = cards().get(name)
            size = timm.models.get_pretrained_cfg(name).input_size[-1]
            yield Entry(name, "timm", card.title if card else "", size, None, name in weighted)


@dataclass(frozen=True)
class Blank:
    """A backbone's net without numbers, and what it is built for: its card, and the words that are kept of it."""

    net: Any
    card: Any
    words: Card | None
    channels: int
    classes: int
    native: int
    size: int


def blank(name: str, size: int | None = None) -> Blank:
    """Return the net of a backbone at `size` pixels, None for its own. Raises BadOption for a size that it refuses."""
    from zoo.models import build

    card = build.backbone(name)
    words = cards().get(card.name) or cards().get(card.name.partition(".")[0])
    counted = words.counted if words else None
    channels, classes = (counted.channels, counted.classes) if counted else (card.known.input_size[0], CLASSES)
    native = card.size or card.known.input_size[-1]
    net = build.blank_that_runs(card, channels, classes, size or native)
    return Blank(net, card, words, channels, classes, native, size or native)


def layer_by_layer(name: str, size: int | None = None) -> tuple[Blank, "list[Layer]"]:
    """Return a backbone's net at `size` pixels, None for its own, and its layers. Raises BadOption like `blank`."""
    from zoo.models import shapes

    found = blank(name, size)
    return found, shapes.layers(found.net, found.channels, found.size)


def describe(name: str, size: int | None = None) -> Description:
    """Return all about the backbone `name` (a tag of weights may follow a dot), at `size` pixels, None for its own.

    Raises BadOption for an unknown name, and for a size that the net does not take.
    """
    from zoo.models import build, shapes

    with progress.bar(f"Weighing {name}", 3, "steps") as advance:
        found = blank(name, size)
        net, card, words, channels = found.net, found.card, found.words, found.channels
        known = card.known
        parameters = build.parameters(net)
        advance()
        flops = _flops(net, channels, found.size)
        advance()
        least = build.smallest(card, channels)
        advance()
    return Description(
        name=name,
        title=words.title if words else known.architecture or name,
        library=words.library if words else "timm",
        source=words.source if words else known.paper_name or "timm",
        licence=_licence(known, words.licence if words else "timm's code is Apache-2.0"),
        weights=words.weights if words else "timm, as its tags say" if known.has_weights else "none",
        tags=(card.source,) if card.source else _tags(name),
        size=found.size,
        native=found.native,
        smallest=least,
        map=shapes.last_map(net, channels, found.size),
        channels=channels,
        classes=found.classes,
        parameters=parameters,
        flops=flops,
        features=_width(net),
        blocks=len(build.blocks(net)),
        mean=tuple(known.mean) if known.has_weights else None,
        std=tuple(known.std) if known.has_weights else None,
        small_stem=_has_small_stem(card, channels, found.size),
        published=words.published if words else (),
        caveat=words.caveat if words else "",
    )


def _licence(known: Any, words: str) -> str:
    return f"{words}; {known.tag or 'these'} weights: {known.license}" if known.license else words


def _tags(name: str) -> tuple[str, ...]:
    """Return the names of all published weights of an architecture; the first is what a bare name stands for."""
    import timm

    arch = name.partition(".")[0]
    first = timm.models.get_pretrained_cfg(arch)
    named = [n for n in timm.list_models(f"{arch}.*", pretrained=True) if n.partition(".")[0] == arch]
    return tuple(sorted(named, key=lambda n: (n != f"{arch}.{first.tag}", n)))


def _width(net: Any) -> int:
    """Return how many numbers the last layer reads, by timm's names for them."""
    return int(getattr(net, "head_hidden_size", None) or net.num_features)


def _flops(net: Any, channels: int, size: int) -> int:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net.eval()(torch.empty(1, channels, size, size, device="meta"))
    return int(counter.get_total_flops())


def _has_small_stem(card: Any, channels: int, size: int) -> bool:
    from zoo.models import build

    try:
        build.blank(card, channels, 2, size, stem="small")
    except BadOption:
        return False
    return True
