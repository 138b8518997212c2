#!/bin/sh
# Install what the benchmarks compare with into benchmarks/.venv, apart from ferdata's own libraries.
#   sh benchmarks/peers.sh [PYTHON]
# PYTHON is what the environment is made with [.venv/bin/python, else python3].
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${1:-}
if [ -z "$python" ]; then
	python=$here/../.venv/bin/python
	[ -x "$python" ] || python=python3
fi
"$python" -m venv "$here/.venv"
"$here/.venv/bin/python" -m pip install -q -c "$here/../constraints.txt" -r "$here/requirements.txt"
"$here/.venv/bin/python" -c "import albumentations, datasets, pandas, timm, torch, torchvision; print('The peers are installed.')"
