"""Put a file's weights into a net: by the map that fits, counted, and refused unless every layer gets its own."""

import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models import adapt_input_conv
from torch import Tensor, nn

from ferdata.errors import BadOption, listed
from zoo.models.weights.files import Stored
from zoo.models.weights.key_maps import COUNTER, MAPS, KeyMap, Statistics

Shape = tuple[int, ...]
LISTED = 4  # names of a file or a net in a message
HEADS = r"^(heads?|fc|classifier|last_linear|linear|logits|head_dist)\."  # what people call a last layer


@dataclass(frozen=True)
class Taken:
    """What a net took from a file: by whose naming, what to say of it, and the statistics that go with it, if told."""

    naming: str
    note: str
    statistics: Statistics | None


@dataclass(frozen=True)
class Candidate:
    """A file's tensors under our names, by one map. `outside` are names that lie beside what a wrapper wraps."""

    map: KeyMap
    tensors: dict[str, Tensor]
    outside: tuple[str, ...]

    def places(self, shapes: Mapping[str, Shape]) -> tuple[int, int]:
        """Return how many tensors have a place of their shape in the net, and how many one by name."""
        named = [name for name in self.tensors if name in shapes]
        return sum(tuple(self.tensors[n].shape) == shapes[n] for n in named), len(named)


def put(net: nn.Module, name: str, file: Path, stored: list[Stored]) -> Taken:
    """Put the weights of a file, read into `stored`, into the net `name`, all but its last layer.

    A first layer for three channels is summed up for one. The last layer is drawn, even for as many classes: a file
    does not say which classes they are. Raises BadOption, naming tensors and shapes, for weights of another net.
    """
    own = {key: t for key, t in net.state_dict().items()}
    shapes = {key: tuple(t.shape) for key, t in own.items()}
    best = _best(net, name, file, stored, shapes, adapted=True)
    head = _last_layer(net)
    given = {key: t for key, t in best.tensors.items() if not key.startswith(head)}
    left = [*(key for key in best.tensors if key.startswith(head)), *best.outside]
    given, spare = _without_spare(given, best.map, shapes)
    _check(given, shapes, head, name, file)
    _check_numbers(given, file)
    with torch.no_grad():
        net.load_state_dict({**own, **given})
    return Taken(best.map.naming, _note(file, best, len(given), [*left, *spare]), best.map.statistics)


def put_whole(net: nn.Module, name: str, file: Path, stored: list[Stored]) -> str:
    """Put the weights of a file into the net `name`, its last layer too; return by whose naming.

    Nothing is summed up, drawn or left out: such a net answers as it did where it was trained. Raises BadOption, naming
    tensors and shapes, for weights of another net or of another number of classes.
    """
    own = net.state_dict()
    shapes = {key: tuple(t.shape) for key, t in own.items()}
    best = _best(net, name, file, stored, shapes, adapted=False)
    given, _ = _without_spare(best.tensors, best.map, shapes)
    head = _last_layer(net)
    outputs = next((t.shape[0] for key, t in given.items() if key.startswith(head) and key.endswith(".bias")), None)
    wanted = next((shapes[key][0] for key in shapes if key.startswith(head) and key.endswith(".bias")), None)
    if None not in (outputs, wanted) and outputs != wanted:
        raise BadOption(
            f"The last layer of {file} has {outputs} outputs, and there are {wanted} classes.",
            "Name its classes in the order of its outputs with --classes, one for each.",
        )
    _check(given, shapes, (), name, file)
    _check_numbers(given, file)
    with torch.no_grad():
        net.load_state_dict({**own, **given})
    return best.map.naming


def _best(
    net: nn.Module, name: str, file: Path, stored: list[Stored], shapes: Mapping[str, Shape], adapted: bool
) -> "Candidate":
    """Return the file's tensors by the map that fits best. Raises BadOption where none does."""
    found = list(_candidates(net, name.partition(".")[0], stored, shapes, adapted))
    best = max(found, key=lambda candidate: candidate.places(shapes))  # of equals the first
    if best.places(shapes)[1] * 2 < len([key for key in shapes if not key.endswith(COUNTER)]):
        theirs = [key for one in stored for key in one.tensors]
        raise BadOption(
            f"{file} is not of {name}: its first names are {listed(theirs, LISTED)}; "
            f"the net's are {listed(shapes, LISTED)}.",
            "Name the architecture that the file is of (for training: --backbone); docs/weights.md lists the namings "
            "that are known.",
        )
    return best


def _check_numbers(given: Mapping[str, Tensor], file: Path) -> None:
    """Raise BadOption for weights that are no numbers."""
    if broken := next((key for key, t in given.items() if not bool(t.isfinite().all())), ""):
        raise BadOption(f"{file} holds values that are no numbers, in {broken}.", "Fetch it again from its publisher.")


def _note(file: Path, best: Candidate, taken: int, left: list[str]) -> str:
    of = len(best.tensors) + len(best.outside)
    behind = f"; left {listed(left, LISTED)}" if left else ""
    return f"Took {taken:,} of {of:,} tensors of {file.name} by {best.map.naming}'s names{behind}."


def _candidates(
    net: nn.Module, architecture: str, stored: list[Stored], shapes: Mapping[str, Shape], adapted: bool
) -> Iterator[Candidate]:
    """Yield a file's tensors by every map that is for the net, with and without what wraps them.

    With `adapted` a first layer for three channels is summed up for a net of one.
    """
    for one in stored:
        for tensors, outside in _unwrapped(one.tensors):
            for key_map in MAPS:
                names = key_map.names(architecture, list(tensors), list(shapes))
                if names is None:
                    continue
                renamed = {own: key_map.tensor(own, tensors[key]) for key, own in names.items()}
                yield Candidate(key_map, _laid_out(net, architecture, renamed, shapes, adapted), outside)


def _unwrapped(tensors: dict[str, Tensor]) -> Iterator[tuple[dict[str, Tensor], tuple[str, ...]]]:
    """Yield the tensors as they are, then without each prefix in turn that most of them begin with ("module.")."""
    outside: tuple[str, ...] = ()
    yield tensors, outside
    while True:
        firsts = [name.partition(".")[0] for name in tensors]
        prefix = max(set(firsts), key=firsts.count)
        inside = {k.partition(".")[2]: t for k, t in tensors.items() if k.startswith(f"{prefix}.")}
        if len(inside) * 2 < len(tensors) or not all(inside):
            return
        outside = (*outside, *(k for k in tensors if not k.startswith(f"{prefix}.")))
        tensors = inside
        yield tensors, outside


def _laid_out(
    net: nn.Module, architecture: str, tensors: dict[str, Tensor], shapes: Mapping[str, Shape], adapted: bool
) -> dict[str, Tensor]:
    """Return the tensors as the net keeps them: by timm's own conversion for its architecture, and with its channels.

    That conversion also fits what hangs on the input's size, such as the places of a transformer's patches.
    """
    convert: Callable[..., Any] | None = getattr(
        sys.modules[timm.model_entrypoint(architecture).__module__], "checkpoint_filter_fn", None
    )
    if convert is not None:
        with suppress(Exception):  # it is for the files of timm and its forerunners, and stumbles over others
            tensors = convert(dict(tensors), net)
    laid = {}
    known: Any = net.pretrained_cfg  # timm's contract
    first = known.get("first_conv") or ()
    stems = {f"{one}.weight" for one in ((first,) if isinstance(first, str) else first)}
    for key, tensor in tensors.items():
        wanted = shapes.get(key)
        grey = wanted is not None and wanted[1:2] == (1,) and adapted
        if grey and key in stems and tensor.ndim == 4 and tensor.shape[1] == 3:
            tensor = adapt_input_conv(1, tensor)
        elif wanted is not None and _alike(tuple(tensor.shape), wanted):
            tensor = tensor.reshape(wanted)
        laid[key] = tensor
    return laid


def _alike(one: Shape, other: Shape) -> bool:
    """Say whether two shapes hold the same numbers in one order: a linear layer is a convolution of a whole map."""
    flat = one[:1] == other[:1] and math.prod(one) == math.prod(other) and 2 in (len(one), len(other))
    return flat or [side for side in one if side != 1] == [side for side in other if side != 1]


def _last_layer(net: nn.Module) -> tuple[str, ...]:
    """Return the prefixes of the names of the last layer's tensors, and of an auxiliary classifier's."""
    last = net.get_classifier()  # type: ignore[operator]  # timm's contract
    modules = list(last) if isinstance(last, tuple | list | nn.ModuleList) else [last]
    return (*(f"{key}." for key, module in net.named_modules() if any(module is m for m in modules)), "auxiliary.")


def _without_spare(
    given: dict[str, Tensor], key_map: KeyMap, shapes: Mapping[str, Shape]
) -> tuple[dict[str, Tensor], list[str]]:
    """Divide off what the net does not keep: counters, other last layers, a publisher's auxiliary classifiers."""
    spare = [
        key
        for key in given
        if key not in shapes and (key.endswith(COUNTER) or re.search(HEADS, key) or re.search(key_map.spare, key))
    ]
    return {key: t for key, t in given.items() if key not in spare}, spare


def _check(
    given: Mapping[str, Tensor], shapes: Mapping[str, Shape], head: tuple[str, ...], name: str, file: Path
) -> None:
    """Raise BadOption unless every tensor has a place of its shape, and every place but the last layer's is filled."""
    another = "Name the backbone that the file is of with --backbone"
    wrong = [key for key, t in given.items() if key in shapes and tuple(t.shape) != shapes[key]]
    if wrong:
        key = wrong[0]
        raise BadOption(
            f"{file} is not of {name}: {key} is {tuple(given[key].shape)} there and {shapes[key]} in the net"
            + (f", and {len(wrong) - 1} more differ." if wrong[1:] else "."),
            another + (", or give --size and --channels as it was trained with." if len(wrong) < LISTED else "."),
        )
    missing = [key for key in shapes if key not in given and not key.startswith(head) and not key.endswith(COUNTER)]
    if missing:
        raise BadOption(f"{file} is not of {name}: it has no {listed(missing, 1)}.", f"{another}.")
    strange = [key for key in given if key not in shapes]
    if strange:
        raise BadOption(
            f"{file} is not of {name}: the net has no place for its {listed(strange, LISTED)}.",
            f"{another}: it is of a larger net.",
        )
