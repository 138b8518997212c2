"""Draw synthetic faces in the published layouts of FER+, CK+ and RAF-DB: datasets that need no agreement.

The trees carry what makes the real ones hard: rare classes, votes that disagree, pictures that stand in train
and in test, clips of one person. `ferdata demo` and the tests read them with the adapters of the real ones.
"""

import shutil
from pathlib import Path

from ferdata.drawing.ckplus_tree import draw_ckplus
from ferdata.drawing.ferplus_tree import draw_ferplus
from ferdata.drawing.rafdb_tree import draw_rafdb
from ferdata.errors import AlreadyExists, BadOption, CannotWrite
from ferdata.running.progress import bar

LEAST = 240  # fewer faces, and some class of some split would be empty


def draw(out: Path, *, faces: int = 1200, seed: int = 0, force: bool = False) -> dict[str, Path]:
    """Draw about `faces` faces below `out` and return each dataset's root: ferplus, ckplus, rafdb.

    Equal `faces` and `seed`, equal bytes. A dataset that is there already is replaced only with `force`.
    Raises BadOption, AlreadyExists, CannotWrite.
    """
    if faces < LEAST:
        raise BadOption(f"{faces} faces are too few.", f"Draw {LEAST} or more, so that no class is empty.")
    writers = {"ferplus": (draw_ferplus, 0.55), "ckplus": (draw_ckplus, 0.2), "rafdb": (draw_rafdb, 0.25)}
    roots = {name: out / name for name in writers}
    if not force and (there := [str(root) for root in roots.values() if root.exists()]):
        raise AlreadyExists(f"{', '.join(there)}: already there.", "Add --force to replace, or choose another folder.")
    try:
        with bar("drawing faces", faces, "faces") as advance:
            for name, (write, share) in writers.items():
                if roots[name].exists():
                    shutil.rmtree(roots[name])
                write(roots[name], round(share * faces), seed, advance)
    except OSError as error:
        raise CannotWrite(
            f"Cannot write below {out}: {error.strerror or error}.",
            "Free some space, or choose another folder.",
        ) from None
    return roots
