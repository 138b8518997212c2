"""Archives are written as `npm pack` writes them: gzip, one folder, a manifest beside its shards."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ferdata.errors import BadOption
from zoo.models.weights import npm_package
from zoo.models.weights.npm_package import read

ENTRIES = [
    {"name": "a/filters", "shape": [2, 1, 1, 2], "dtype": "float32",
     "quantization": {"dtype": "uint8", "scale": 0.5, "min": -1.0}},
    {"name": "a/bias", "shape": [2], "dtype": "float32"},
    {"name": "b", "shape": [3], "dtype": "float32", "quantization": {"dtype": "uint16", "scale": 0.001, "min": 0.25}},
    {"name": "c", "shape": [], "dtype": "float32", "quantization": {"dtype": "float16"}},
]  # fmt: skip
BYTES = (
    np.array([0, 2, 4, 255], np.uint8).tobytes()
    + np.array([1.5, -2], "<f4").tobytes()
    + np.array([0, 1000, 65535], "<u2").tobytes()
    + np.array([0.5], "<f2").tobytes()
)


def package(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def whole(**other: Any) -> dict[str, bytes]:
    manifest = [{"paths": ["net-shard1", "net-shard2"], "weights": ENTRIES}]
    found = {
        "package/package.json": b"{}",
        "package/model/net-weights_manifest.json": json.dumps(manifest).encode(),
        "package/model/net-shard1": BYTES[:7],  # a tensor may lie across two shards
        "package/model/net-shard2": BYTES[7:],
    }
    return {**found, **other}


def test_tensors_are_dequantised_in_the_manifests_order(tmp_path: Path) -> None:
    nets = read(package(tmp_path / "p.tgz", whole()))
    assert list(nets) == ["net"]
    found = nets["net"]
    assert list(found) == ["a/filters", "a/bias", "b", "c"]
    assert torch.equal(found["a/filters"], torch.tensor([-1.0, 0.0, 1.0, 126.5]).reshape(2, 1, 1, 2))
    assert torch.equal(found["a/bias"], torch.tensor([1.5, -2.0]))
    torch.testing.assert_close(found["b"], torch.tensor([0.25, 1.25, 65.785]))
    assert torch.equal(found["c"], torch.tensor(0.5))
    assert {t.dtype for t in found.values()} == {torch.float32}


@pytest.mark.parametrize(
    ("shard", "words"),
    [
        (BYTES[7:-3], r"17 bytes, where the manifest's 4 tensors take 20: cut short"),
        (BYTES[7:] + b"more", r"24 bytes, where the manifest's 4 tensors take 20: more than belongs to it"),
    ],
)
def test_shards_cut_short_or_too_long_are_told_in_bytes(tmp_path: Path, shard: bytes, words: str) -> None:
    with pytest.raises(BadOption, match=words):
        read(package(tmp_path / "p.tgz", whole(**{"package/model/net-shard2": shard})))


@pytest.mark.parametrize("path", ["../../elsewhere", "/etc/hostname", "net-shard9"])
def test_a_shard_that_the_package_does_not_hold_is_named_and_looked_for_nowhere_else(tmp_path: Path, path: str) -> None:
    (tmp_path / "elsewhere").write_bytes(BYTES)
    manifest = json.dumps([{"paths": [path], "weights": ENTRIES}]).encode()
    with pytest.raises(BadOption, match="does not hold it"):
        read(package(tmp_path / "p.tgz", whole(**{"package/model/net-weights_manifest.json": manifest})))


def test_a_link_is_no_shard(tmp_path: Path) -> None:
    members = whole()
    del members["package/model/net-shard2"]
    path = package(tmp_path / "p.tgz", members)
    with tarfile.open(tmp_path / "q.tgz", "w:gz") as archive, tarfile.open(path) as first:
        for member in first:
            archive.addfile(member, first.extractfile(member))
        link = tarfile.TarInfo("package/model/net-shard2")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        archive.addfile(link)
    with pytest.raises(BadOption, match="net-shard2, and does not hold it"):
        read(tmp_path / "q.tgz")


@pytest.mark.parametrize(
    "manifest", [b"{", b"[]x", b"{}1", b'[{"paths": ["net-shard1"]}]', b'[{"weights": [{"shape": [1]}], "paths": []}]',
                 b'[1]', b'[{"paths": [], "weights": [{"name": "a", "shape": [1], "dtype": "string"}]}]']
)  # fmt: skip
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, manifest: bytes) -> None:
    with pytest.raises(BadOption, match="no manifest of weights"):
        read(package(tmp_path / "p.tgz", whole(**{"package/model/net-weights_manifest.json": manifest})))


def test_a_negative_shape_is_refused(tmp_path: Path) -> None:
    manifest = json.dumps([{"paths": [], "weights": [{"name": "a", "shape": [-1], "dtype": "uint8"}]}]).encode()
    with pytest.raises(BadOption, match="where the manifest's 1 tensors take -1"):
        read(package(tmp_path / "p.tgz", whole(**{"package/model/net-weights_manifest.json": manifest})))


def test_a_package_without_weights_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match=r"no member's name ends in weights_manifest\.json"):
        read(package(tmp_path / "p.tgz", {"package/package.json": b"{}"}))


def test_an_archive_cut_short_or_damaged_is_refused(tmp_path: Path) -> None:
    path = package(tmp_path / "p.tgz", whole())
    data = path.read_bytes()
    for broken in (data[: len(data) // 2], data[:4], b"\x1f\x8b" + b"junk" * 9, data[:20] + b"\0" * 9 + data[29:]):
        path.write_bytes(broken)
        with pytest.raises(BadOption, match="cannot be read as weights"):
            read(path)


def test_what_unpacks_to_too_much_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = package(tmp_path / "p.tgz", {"package/a": b"\0" * (1 << 20), **whole()})
    assert bomb.stat().st_size < 5000
    monkeypatch.setattr(npm_package, "LARGEST_PACKAGE", 1 << 20)
    with pytest.raises(BadOption, match="unpacks to more than 1 MB"):
        read(bomb)
    monkeypatch.setattr(npm_package, "LARGEST_PACKAGE", 1 << 30)
    monkeypatch.setattr(npm_package, "LARGEST_SHARD", 10)
    with pytest.raises(BadOption, match=r"net-shard2 in .* has 13 bytes; 10 are read"):
        read(package(tmp_path / "q.tgz", whole()))
