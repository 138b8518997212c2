"""muxspace: images/, the legend with rows listed twice, and the other list, which nobody should read."""

from pathlib import Path

from tests.fakes import Expected, face, litter, save

ROWS = (
    ("302", "Britney_Spears_0014.jpg", "happiness"),
    ("dwdii", "John_Negroponte_0024.jpg", "neutral"),
    ("jhamski", "Lim_Dong-won_0001.jpg", "NEUTRAL"),
    ("jhamski", "Dileep_22.jpg", "HAPPINESS"),
    ("dwdii", "Dileep_3.jpg", "surprise"),
    ("302", "Avinash_30.jpg", "sadness"),
    ("302", "Britney_Spears_0015.jpg", "contempt"),
    ("302", "Arun.jpg", "fear"),
)
AGAIN = (("dwdii", "Avinash_30.jpg", "surprise"), ("jhamski", "Britney_Spears_0014.jpg", "HAPPINESS"))
UNLISTED = ("Dileep_57.jpg", "aa_1.jpg")


def official(root: Path) -> Expected:
    """The repository, with a picture listed again under another label, one under the same, and two not at all."""
    base = root / "facial_expressions"
    found = Expected(skipped=2, subjects=6)  # Arun has no number, so it is nobody known
    for i, name in enumerate([name for _, name, _ in ROWS] + list(UNLISTED)):
        save(base / "images" / name, face(i, 70 if i % 2 else 24, colour=i % 2 == 0))
    for _, _, label in ROWS:
        found.counts[None, label] += 1
    found.counts[None, None] += len(UNLISTED)
    (base / "data").mkdir()
    lines = ["user.id,image,emotion", *(",".join(row) for row in ROWS + AGAIN)]
    (base / "data" / "legend.csv").write_text("\n".join(lines) + "\n")
    (base / "data" / "500_picts_satz.csv").write_bytes(b"Arun.jpg,sad\rDileep_22.jpg,sad\r")
    litter(base / "images", base / "data")
    return found


LAYOUTS = {"official": official}
