"""Weights to start from: published ones, by download, or those of a file. A file is never unpickled."""

import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ferdata.errors import BadOption, MissingModel

LONGEST = 200  # characters of another library's reason
WAY_OUT = (
    "Without a network: fetch them elsewhere and name the file with --weights FILE, or leave out --pretrained and "
    "train from scratch."
)
Build = Callable[..., nn.Module]


def fetched(build: Build, name: str) -> nn.Module:
    """Return the net with published weights. Raises MissingModel, with a way out, if they cannot be fetched."""
    try:
        with _offline_at_once():
            return build(pretrained=True)
    except (TypeError, BadOption):
        raise
    except Exception as error:  # the hub's client has errors of its own for a network that is not there
        raise MissingModel(f"The weights of {name} could not be fetched: {_reason(error)}", WAY_OUT) from None


def loaded(build: Build, name: str, file: Path) -> nn.Module:
    """Return the net with the weights of `file`, adapted to its channels, its last layer drawn anew if classes differ.

    timm leaves out what does not fit without a word; so the net is built twice from the same random numbers, and each
    layer must then differ. Raises BadOption for weights of another net, MissingModel if there is no such file.
    """
    weights = read(file)
    state = torch.get_rng_state()
    blank = build(pretrained=False)
    torch.set_rng_state(state)
    try:
        net = build(pretrained=True, pretrained_cfg_overlay={"state_dict": weights, "custom_load": False})
    except (RuntimeError, KeyError) as error:
        raise BadOption(f"{file} is not of {name}: {_reason(error)}", "Name the file of that backbone.") from None
    last = net.get_classifier()  # type: ignore[operator]  # timm's contract
    spared = {id(p) for p in last.parameters()} if isinstance(last, nn.Module) else set()
    drawn = dict(blank.named_parameters())
    missing = [
        key
        for key, p in net.named_parameters()
        if p.ndim > 1 and id(p) not in spared and p.shape == drawn[key].shape and torch.equal(p, drawn[key])
    ]
    if missing:
        raise BadOption(
            f"{file} is not of {name}: it has no {missing[0]}"
            + (f" and {len(missing) - 1} more." * (len(missing) > 1)),
            "Name the file of that backbone.",
        )
    return net


def read(file: Path) -> dict[str, Tensor]:
    """Read weights by name from a safetensors file or from a `.pth` of plain tensors; a pickle's code never runs.

    Raises MissingModel if there is no such file, BadOption if it holds anything but weights.
    """
    if file.is_dir():
        raise BadOption(f"{file} is a folder.", "Name a file of weights; those of a run are taken by --init RUN.")
    if not file.is_file():
        raise MissingModel(f"There is no file {file}.", "Name the file of weights, .safetensors or .pth.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the pickle's protocol: what is no plain tensor is refused anyway
            found: Any = (
                load_file(file) if file.suffix == ".safetensors" else torch.load(file, "cpu", weights_only=True)
            )
    except Exception as error:  # torch stumbles over junk in many ways: struct.error, KeyError, UnpicklingError ...
        raise BadOption(f"{file} cannot be read as weights: {_unread(error)}.", "Take a .safetensors file.") from None
    for key in ("state_dict", "model", "state_dict_ema"):
        found = found.get(key, found) if isinstance(found, dict) else found
    if not isinstance(found, dict) or not found or not all(isinstance(t, Tensor) for t in found.values()):
        raise BadOption(f"{file} holds no weights by name.", "Take the backbone's state_dict, as .safetensors or .pth.")
    return {key.removeprefix("module."): tensor for key, tensor in found.items()}


@contextmanager
def _offline_at_once() -> Iterator[None]:
    """Keep the hub's client from trying for a minute what cannot be: without its host, only its cache is looked at."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    try:
        if not getproxies():  # behind a proxy names need not be known here
            socket.getaddrinfo(urlsplit(constants.ENDPOINT).hostname, 443)
    except OSError:
        constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = " ".join(lines[:2]) or type(error).__name__
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."


def _unread(error: Exception) -> str:
    """Say why, without torch's advice to run the code of a pickle."""
    if isinstance(error, UnpicklingError):
        return "it is no pickle, or holds more than plain tensors, and code in it is never run"
    return f"it is damaged, or of another kind ({_reason(error).rstrip('.')})"
