"""Run the demo and draw what it prints as docs/demo.svg, the README's picture: python docs/picture.py."""

import os
import re
import subprocess
import sys
import tempfile
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

WIDTH = 126


def main() -> None:
    """Write docs/demo.svg."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"FORCE_COLOR": "1", "COLUMNS": str(WIDTH)}
        command = [sys.executable, "-m", "ferdata.cli", "demo"]
        ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    console = Console(record=True, width=WIDTH, file=StringIO())
    console.print(Text.from_ansi("$ make demo\n" + ran.stdout.rstrip()), soft_wrap=False)
    svg = console.export_svg(title="ferdata demo")
    # Without the web font that rich names: a picture loads nothing.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    out = Path(__file__).parent / "demo.svg"
    out.write_text(svg, encoding="utf-8")
    print(out)


if __name__ == "__main__":
    main()
