"""The Hub's protocol, as huggingface_hub speaks it with a server on this machine: Parquet comes, nothing else."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from ferdata.errors import BadOption, MissingExtra
from ferdata.manifest import Manifest
from ferdata.steps.get import get
from tests.fakes.hf import encoded, shard

COMMIT = "0123456789abcdef0123456789abcdef01234567"
GATED = "Access to dataset me/closed is restricted."


@contextmanager
def hub(branches: dict[str, dict[str, bytes]]) -> Iterator[str]:
    """Serve the branches (name -> path -> content) of the dataset me/faces; me/closed is refused."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            where = self.path.partition("?")[0].replace("%2F", "/")
            if "me/closed" in where:
                self.answer(
                    403, json.dumps({"error": GATED}).encode(), {"X-Error-Code": "GatedRepo", "X-Error-Message": GATED}
                )
            elif where.startswith("/api/"):
                tree, revision = (where.partition(f"/{kind}/")[2] for kind in ("tree", "revision"))
                files = branches.get((tree or revision or "main").replace(COMMIT, next(reversed(branches))))
                if files is not None and tree:
                    found = [{"type": "file", "path": p, "oid": "0", "size": len(data)} for p, data in files.items()]
                    self.answer(200, json.dumps(found).encode(), {"Content-Type": "application/json"})
                elif files is None:
                    self.answer(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
                else:
                    listed = {"id": "me/faces", "sha": COMMIT, "siblings": [{"rfilename": path} for path in files]}
                    self.answer(200, json.dumps(listed).encode(), {"Content-Type": "application/json"})
            else:
                path = where.partition(f"/resolve/{COMMIT}/")[2]
                found = next((files[path] for files in branches.values() if path in files), None)
                if found is None:
                    self.answer(404, b"", {"X-Error-Code": "EntryNotFound"})
                else:
                    etag = f'"{hashlib.sha256(found).hexdigest()}"'
                    self.answer(200, found, {"ETag": etag, "X-Repo-Commit": COMMIT})

        do_HEAD = do_GET  # noqa: N815  # http.server's name

        def answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def ferdata(tmp_path: Path, endpoint: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, since huggingface_hub reads its endpoint once."""
    own = {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1", "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-m", "ferdata.cli", *arguments],
        cwd=tmp_path, env={**os.environ, **own}, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@pytest.fixture
def files(tmp_path: Path) -> dict[str, bytes]:
    shard(tmp_path / "made.parquet", [(encoded(1), 3), (encoded(2), 0)])
    return {"data/train-00000-of-00001.parquet": (tmp_path / "made.parquet").read_bytes()}


def test_the_parquet_comes_and_no_script_and_is_what_ingest_hf_reads(tmp_path: Path, files: dict[str, bytes]) -> None:
    with hub({"main": {**files, "README.md": b"# faces", "faces.py": b"raise SystemExit"}}) as endpoint:
        ran = ferdata(tmp_path, endpoint, "datasets", "get", "hf:me/faces")
    assert ran.returncode == 0, ran.stderr
    assert "Next: ferdata ingest hf --root data/faces" in ran.stdout
    there = {p.relative_to(tmp_path / "data/faces").as_posix() for p in (tmp_path / "data/faces").rglob("*.*")}
    assert {path for path in there if not path.startswith(".cache")} == {*files, "README.md"}
    read = ferdata(tmp_path, "", "ingest", "hf", "--root", "data/faces")
    assert read.returncode == 0, read.stderr
    assert Manifest(tmp_path / "manifests/hf.parquet").rows == 2


def test_of_any_other_form_the_hubs_own_conversion_comes(tmp_path: Path, files: dict[str, bytes]) -> None:
    with hub({"main": {"train.zip": b"PK"}, "refs/convert/parquet": files}) as endpoint:
        ran = ferdata(tmp_path, endpoint, "datasets", "get", "hf:me/faces", "-o", "there")
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "there/data/train-00000-of-00001.parquet").is_file()
    assert not (tmp_path / "there/train.zip").exists()


@pytest.mark.parametrize(
    ("branches", "name", "words"),
    [
        ({"main": {"train.zip": b"PK"}}, "hf:me/faces", "has no Parquet files"),
        ({"main": {}}, "hf:me/closed", "hf auth login"),
    ],
)
def test_what_cannot_be_had_says_why_and_what_to_do(
    tmp_path: Path, branches: dict[str, dict[str, bytes]], name: str, words: str
) -> None:
    with hub(branches) as endpoint:
        ran = ferdata(tmp_path, endpoint, "datasets", "get", name)
    assert ran.returncode == 1
    assert words in ran.stderr
    assert "Traceback" not in ran.stderr


def test_without_a_network_the_page_is_named(tmp_path: Path) -> None:
    ran = ferdata(tmp_path, "http://127.0.0.1:9", "datasets", "get", "hf:me/faces")
    assert ran.returncode == 1
    assert "cannot be reached" in ran.stderr
    assert "datasets/me/faces" in ran.stderr


@pytest.mark.parametrize("name", ["hf:faces", "hf:../../etc", "hf:me/faces/x", "hf:"])
def test_a_name_that_is_none_of_the_hubs_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="hf:"):
        get(name, out=tmp_path / "new")


def test_without_the_library_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtra) as caught:
        get("hf:me/faces", out=tmp_path / "new")
    assert "[hub]'" in caught.value.hint
