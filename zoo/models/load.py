"""A trained net from its model file: built as the metadata say, its weights put in, its trees behind it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from ferdata.errors import BrokenRun, FerdataError
from zoo.models import xgboost_head
from zoo.models.build import backbone, build
from zoo.models.heads import Head
from zoo.run.model_file import Meta, read_meta


def load_model(path: Path, with_trees: bool = True) -> tuple[nn.Module, Meta]:
    """Return the net with its weights, in eval mode and channels last, and its metadata. Raises BrokenRun.

    Under an xgboost head the trees beside `path` are behind it, unless only the net is wanted.
    """
    meta = read_meta(path)
    try:
        net = blank_model(meta)
        with safe_open(path, "pt") as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no dict
        net.load_state_dict(weights)
    except (RuntimeError, SafetensorError, FerdataError) as error:
        reason = str(error).splitlines()[0]
        raise BrokenRun(f"The weights of {path} do not fit {meta.backbone}: {reason}", "Train again.") from None
    net = net.eval().to(memory_format=torch.channels_last)
    if with_trees and meta.head.get("kind") == "xgboost":
        net = xgboost_head.attach(net, path.with_name(xgboost_head.NAME), meta.classes)
    return net, meta


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
