import json
import os
import shlex
import subprocess
import sys

import pytest

from ferdata.running import extras
from tests.conftest import REPOSITORY


class Installed:
    """What importlib.metadata knows of a package: where it was installed from."""

    def __init__(self, url):
        self.url = url

    def read_text(self, name):
        return self.url and json.dumps(self.url)


@pytest.mark.parametrize(
    ("url", "source"),
    [
        (None, "ferdata[train]"),
        ({"url": "file:///data/kim/my%20tools/fer", "dir_info": {"editable": True}}, "/data/kim/my tools/fer[train]"),
        ({"url": "file:///tmp/ferdata-0.1.0-py3-none-any.whl", "archive_info": {}}, "ferdata[train]"),
    ],
)
def test_an_extra_comes_from_where_ferdata_came_from(monkeypatch, tmp_path, url, source):
    monkeypatch.setattr("importlib.metadata.distribution", lambda name: Installed(url))
    monkeypatch.chdir(tmp_path)
    assert shlex.split(extras.install("train")) == [sys.executable, "-m", "pip", "install", source]


def test_from_the_clone_the_command_is_short_and_pip_takes_it(monkeypatch):
    url = {"url": REPOSITORY.as_uri(), "dir_info": {"editable": True}}
    monkeypatch.setattr("importlib.metadata.distribution", lambda name: Installed(url))
    monkeypatch.chdir(REPOSITORY)
    command = shlex.split(extras.install("audit"))
    assert command[-1] == ".[audit]"
    tried = [*command[:-1], "--dry-run", "--no-deps", "--no-index", "--no-build-isolation", "-q", command[-1]]
    done = subprocess.run(tried, capture_output=True, text=True, check=False, env={**os.environ, "PIP_NO_INPUT": "1"})
    assert done.returncode == 0, done.stderr
