"""A net that timm builds, with its own last layer and the weights that somebody gave it: in a repository, or a file."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import zoo.models.architectures  # noqa: F401  # registers ours with timm
from ferdata.errors import BadOption
from zoo.models.foreign.card import Card
from zoo.models.foreign.signature import Signature
from zoo.models.names import check, known_to_timm
from zoo.models.weights import download, files, terms
from zoo.models.weights.fit import put_whole
from zoo.models.weights.terms import Origin
from zoo.run.model_form import check_arguments, check_sizes

KIND = "timm"


class TimmRunner(nn.Module):
    """A net of timm's as an opened model: it computes where its weights are."""

    def __init__(self, net: nn.Module, known: Card) -> None:
        """Wrap a net; `known` says the size and channels of its pictures, and what else is known of it."""
        super().__init__()
        self.net = net.eval()
        self.signature = Signature((None, known.channels, known.size, known.size), np.dtype(np.float32), known)

    def forward(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Return the outputs, float32 (n, classes), for float32 (n, channels, size, size)."""
        place = next(self.net.parameters()).device
        with torch.inference_mode():
            out: Tensor = self.net(torch.from_numpy(images).to(place))
        return out.float().cpu().numpy()


@dataclass(frozen=True)
class Found:
    """A net of timm's and how it is built again: its `architecture` and `arguments`, and the `sha256` of its file."""

    runner: TimmRunner
    architecture: str
    arguments: dict[str, Any]
    sha256: str

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The weights by name, none of which shares its memory with another."""
        return {name: t.detach().contiguous().clone() for name, t in self.runner.net.state_dict().items()}


def is_name(model: str, weights: Path | None) -> bool:
    """Say whether a model is named as timm names one, and is no file: a repository, a folder, or an architecture."""
    if download.is_source(model):
        return True
    if Path(model).exists() or "/" in model:
        return False
    return weights is not None or timm.is_model(model.partition(".")[0])


def find(model: str, weights: Path | None, said: Card) -> Found:
    """Build the net that `model` names, with the weights of its source or of a file: every tensor must fit.

    Classes, size and channels are those `said`, else the source's. Raises BadOption, MissingModel.
    """
    saved = download.saved(model) if download.is_source(model) else None
    name = saved.architecture if saved else model
    check(name)
    known = saved.known if saved else known_to_timm(name)
    if saved is None and weights is None:
        raise BadOption(
            f"{model} is the name of an architecture, and its published weights answer other questions than this.",
            "Name the file of the weights that were trained on faces: --weights FILE.",
        )
    classes = said.classes or _labels(known.label_names)
    count = len(classes) if classes else int(known.num_classes)
    channels, size = said.channels or known.input_size[0], said.size or known.input_size[-1]
    arguments = {**(saved.arguments if saved else {}), "num_classes": count, "in_chans": channels}
    if known.fixed_input_size:
        arguments["img_size"] = size
    net = _built(name, arguments)
    file = weights or download.weights_of(model)
    naming = put_whole(net, name, file, files.read(file))
    origin = terms.of_file(file, naming) if weights else terms.of_source(model)
    card = _card(model, file if weights else Path(model), origin, known, (channels, size, classes))
    return Found(TimmRunner(net, card), name, arguments, hashlib.sha256(file.read_bytes()).hexdigest())


def rebuilt(how: Mapping[str, Any], classes: int, known: Card, tensors: Mapping[str, Tensor]) -> TimmRunner:
    """Build a run's net again, without a network: `how` has `architecture` and `arguments`.

    Raises BadOption, and ValueError for arguments that are not the net's own, or larger than its weights.
    """
    check_arguments(how["arguments"])
    check_sizes(how["arguments"], [tuple(t.shape) for t in tensors.values()])
    net = _built(str(how["architecture"]), {**how["arguments"], "num_classes": classes})
    try:
        net.load_state_dict(dict(tensors))
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise BadOption(
            f"The weights of {how['name']} do not fit {how['architecture']} as this timm builds it: {reason}",
            "Adopt it again, or install the timm that it was adopted with.",
        ) from None
    return TimmRunner(net, known)


def _built(name: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Build a net, its weights drawn. Raises BadOption for arguments that it does not take."""
    try:
        net: nn.Module = timm.create_model(name, pretrained=False, **arguments)
    except (TypeError, ValueError, AssertionError, RuntimeError) as error:
        said = ", ".join(f"{key} {value}" for key, value in arguments.items())
        raise BadOption(f"timm cannot build {name} with {said}: {error}.", "Leave out --size and --channels.") from None
    return net


def _labels(names: Any) -> tuple[str, ...] | None:
    """Return the classes that a source's configuration lists, as a list or by number; None where it lists none."""
    if isinstance(names, Mapping) and all(str(key).isdecimal() for key in names):
        names = [names[key] for key in sorted(names, key=int)]
    listed = isinstance(names, list | tuple) and len(names) > 1 and all(isinstance(word, str) for word in names)
    return tuple(names) if listed else None


def _card(
    model: str, file: Path, origin: Origin, known: Any, input_of: tuple[int, int, tuple[str, ...] | None]
) -> Card:
    """Return what is known of the net; grey pictures of a net for colours have no known statistics."""
    channels, size, classes = input_of
    scale: dict[str, Any] = {}
    if len(known.mean) == channels:
        scale = {"mean": tuple(map(float, known.mean)), "std": tuple(map(float, known.std))}
    return Card(
        name=model,
        file=file.name if not download.is_source(str(file)) else str(file),
        classes=classes,
        size=size,
        channels=channels,
        order="RGB",
        layout="NCHW",
        source=origin.weights,
        terms=origin.terms,
        **scale,
    )
