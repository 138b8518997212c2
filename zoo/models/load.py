"""A trained net from its model file: built as the metadata say, its weights put in, its trees behind it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from ferdata.errors import BrokenRun
from zoo.models import xgboost_head
from zoo.models.build import backbone, build
from zoo.models.foreign import opened, timm_net
from zoo.models.foreign.card import Card
from zoo.models.foreign.signature import Runner
from zoo.models.heads import Head
from zoo.run import model_form
from zoo.run.memory import elsewhere, enough, is_out_of_memory
from zoo.run.model_file import Meta, read_meta

FILE = "file"  # the tensor, uint8 (bytes,), that a foreign model's file is kept as


def load_model(path: Path, with_trees: bool = True, device: str = "cpu") -> tuple[nn.Module, Meta]:
    """Return the net with its weights on `device`, in eval mode and channels last, and its metadata.

    Under an xgboost head the trees beside `path` are behind it, unless only the net is wanted. Raises BrokenRun, and
    BadOption where the device's memory does not hold the net.
    """
    meta = read_meta(path)
    with enough(device, f"for {meta.backbone} at {meta.size} px", elsewhere(device)):
        net = _with_weights(path, meta).to(device)
    if with_trees and meta.head.get("kind") == "xgboost":
        net = xgboost_head.attach(net, path.with_name(xgboost_head.NAME), meta.classes)
    return net, meta


def _with_weights(path: Path, meta: Meta) -> nn.Module:
    """Build the net that `meta` describes, with the weights of `path`. Raises BrokenRun."""
    if meta.foreign is not None:
        return _foreign(path, meta, meta.foreign)
    try:
        weights = _tensors(path)
        shapes = [tuple(t.shape) for t in weights.values()]
        model_form.check_sizes({"arguments": meta.arguments, "head": meta.head}, shapes)
        net = blank_model(meta)
        net.load_state_dict(weights)
    except Exception as error:
        if is_out_of_memory(error):
            raise
        # What builds a net believes its arguments, and stumbles over wrong ones with errors of any kind.
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise BrokenRun(f"The weights of {path} do not fit {meta.backbone}: {reason}", "Train again.") from None
    return net.eval().to(memory_format=torch.channels_last)


def _tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a model file by name."""
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no dict


def _foreign(path: Path, meta: Meta, how: dict[str, Any]) -> nn.Module:
    """Open the model that others trained, whose file lies in `path` as bytes. Raises BrokenRun, MissingExtra."""
    try:
        if how["kind"] == timm_net.KIND:
            known = Card(size=meta.size, channels=meta.channels)
            runner: Runner = timm_net.rebuilt(how, len(meta.classes), known, _tensors(path))
        else:
            runner = opened.runner(str(how["kind"]), kept(path), str(how["name"]))
        return opened.net(how, meta.classes, runner).eval()
    except (KeyError, TypeError, ValueError, SafetensorError) as error:
        raise BrokenRun(f"{path} holds no model that was adopted: {error}.", "Adopt it again.") from None


def kept(path: Path) -> bytes:
    """Return the file of a model that others trained, as it lies in the model file of its run. Raises BrokenRun."""
    try:
        with safe_open(path, "pt") as file:
            data: bytes = file.get_tensor(FILE).numpy().tobytes()
    except SafetensorError as error:
        raise BrokenRun(f"{path} holds no model that was adopted: {error}.", "Adopt it again.") from None
    return data


def blank_model(meta: Meta) -> nn.Module:
    """Build the net that the metadata describes, its weights drawn. Raises BadOption."""
    given: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in meta.head.items()}
    head = Head(**given)
    return build(
        replace(backbone(meta.backbone), arguments=meta.arguments),
        meta.channels,
        len(meta.classes),
        meta.size,
        stem=meta.stem,
        head=head,
        dropout=meta.dropout,
        drop_path=meta.drop_path,
        aux=meta.aux,
    )
