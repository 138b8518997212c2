"""What the machine is: its GPU, and the versions of what the other parts stand on. Fails where one is missing.

python -m gpu.machine DEVICE
"""

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version

NEEDED = (
    *("torch", "torchvision", "timm", "numpy", "pandas", "pyarrow", "scipy", "sklearn", "cv2", "matplotlib", "click"),
    *("rich", "safetensors", "tensorboard", "filelock", "platformdirs", "lightning_fabric", "pytest", "xdist"),
)
USEFUL = ("onnx", "onnxscript", "onnxruntime")
# The distribution of a module that is not called alike.
CALLED = {"sklearn": "scikit-learn", "cv2": "opencv-python-headless", "xdist": "pytest-xdist"}


def main() -> int:
    """Say it; 1 where something that is needed is not there. Imports none of it: that takes ten seconds."""
    there = {name: found(name) for name in (*NEEDED, *USEFUL)}
    print(f"Python {platform.python_version()}, {len(os.sched_getaffinity(0))} cores, {platform.platform()}")
    print(", ".join(f"{name} {release or 'is not there'}" for name, release in there.items()))
    missing = [name for name in NEEDED if not there[name]]
    if missing:
        print(f"Needed and not there: {', '.join(missing)}. `benchmarks/gpu.sh prepare` brings what is Python alone.")
    if sys.argv[1] == "cuda" and shutil.which("nvidia-smi"):
        subprocess.run(["nvidia-smi", "-L"], check=False)
    return int(bool(missing))


def found(name: str) -> str:
    """Return the release of a module, "" for one that is not there."""
    try:
        there = importlib.util.find_spec(name)
        return version(CALLED.get(name, name)) if there else ""
    except PackageNotFoundError:
        return "of no known release"
    except ModuleNotFoundError:
        return ""


if __name__ == "__main__":
    sys.exit(main())
