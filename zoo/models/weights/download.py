"""Weights by name: timm's own and those of a Hugging Face repository, by download, and of a folder of that form."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from timm.models import PretrainedCfg
from torch import nn

from ferdata.errors import BadOption, MissingModel
from ferdata.running.documents import read_json
from zoo.models.weights.files import reason
from zoo.run.model_form import check_arguments

WAY_OUT = (
    "Without a network: fetch them elsewhere and name the file with --weights FILE, or leave out --pretrained and "
    "train from scratch."
)
HUB, LOCAL = "hf-hub:", "local-dir:"
FORMS = ("model.safetensors", "pytorch_model.bin")  # as timm saves them; the first that there is
CONFIG = "config.json"
# What a run sets itself, so that a saved net's own choice does not count.
OURS = {"num_classes", "in_chans", "img_size", "drop_rate", "drop_path_rate", "proj_drop_rate", "attn_drop_rate"}
Build = Callable[..., nn.Module]


@dataclass(frozen=True)
class Saved:
    """A net as timm saves it for Hugging Face: its architecture and arguments, and timm's configuration of it."""

    architecture: str
    arguments: dict[str, Any]
    known: PretrainedCfg


def fetched(build: Build, name: str) -> nn.Module:
    """Return the net with timm's published weights. Raises MissingModel, with a way out, if they cannot be fetched."""
    try:
        with _offline_at_once():
            return build(pretrained=True)
    except (TypeError, BadOption):
        raise
    except Exception as error:  # the hub's client has errors of its own for a network that is not there
        raise MissingModel(f"The weights of {name} could not be fetched: {reason(error)}.", WAY_OUT) from None


def is_source(name: str) -> bool:
    """Say whether a backbone's name says where it is to be had, as `hf-hub:owner/name` and `local-dir:folder` do."""
    return name.startswith((HUB, LOCAL))


def saved(name: str) -> Saved:
    """Read what a source says of its net. Raises MissingModel if there is none, BadOption for one that is damaged."""
    path = _part(name, CONFIG)
    try:
        config = read_json(path)
        known = dict(config.get("pretrained_cfg", config))
        architecture = str(config["architecture"])
        for key in ("num_classes", "label_names"):  # beside the rest, as timm.models.save_for_hf writes them
            known[key] = config.get(key, known.get(key))
        fields = {key: known[key] for key in PretrainedCfg.__dataclass_fields__ if known.get(key) is not None}
        for key in ("mean", "std", "input_size"):
            if key in fields:
                fields[key] = tuple(fields[key])
        fields |= {"architecture": architecture, "hf_hub_id": name}
        arguments = {key: value for key, value in config.get("model_args", {}).items() if key not in OURS}
        check_arguments(arguments)
        return Saved(architecture, arguments, PretrainedCfg(**fields))
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise BadOption(
            f"{path} does not describe a net ({error!r}).", "It must be as timm.models.save_for_hf writes it."
        ) from None


def weights_of(name: str) -> Path:
    """Return the file of a source's weights, fetched if need be. Raises MissingModel."""
    refused = []
    for form in FORMS:
        try:
            return _part(name, form)
        except MissingModel as error:
            refused.append(error)
    raise refused[0]


def _part(name: str, file: str) -> Path:
    if name.startswith(LOCAL):
        path = Path(name.removeprefix(LOCAL)) / file
        if not path.is_file():
            raise MissingModel(
                f"There is no file {path}.",
                f"Name a folder that timm.models.save_for_hf wrote: {CONFIG} and {FORMS[0]}, as {LOCAL}FOLDER.",
            )
        return path
    from huggingface_hub import hf_hub_download

    repository, _, revision = name.removeprefix(HUB).partition("@")
    try:
        with _offline_at_once():
            return Path(hf_hub_download(repository, file, revision=revision or None))
    except Exception as error:  # the hub's client has errors of its own for a network that is not there
        raise MissingModel(
            f"{file} of {name} could not be fetched: {reason(error)}.",
            f"Without a network: fetch {CONFIG} and {FORMS[0]} of it elsewhere into one folder, and name that in "
            f"its place, as {LOCAL}FOLDER (in train: --backbone {LOCAL}FOLDER --pretrained).",
        ) from None


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
