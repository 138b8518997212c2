"""RAF-DB's codes and file names: those of the basic set, and those of the compound set, which looks like it."""

from pathlib import Path

from ferdata.sources import broken

CODES = dict(zip("1234567", ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral"), strict=True))
COMPOUND = (
    "happily surprised",
    "happily disgusted",
    "sadly fearful",
    "sadly angry",
    "sadly surprised",
    "sadly disgusted",
    "fearfully angry",
    "fearfully surprised",
    "angrily surprised",
    "angrily disgusted",
    "disgustedly surprised",
)
WORDS = dict(zip((f"compound {code}" for code in range(1, 12)), COMPOUND, strict=True))
ONLY_COMPOUND = frozenset(str(code) for code in range(len(CODES) + 1, len(WORDS) + 1))
LABELS = CODES | dict.fromkeys(WORDS, "compound")
SPLITS = ("train", "test")
BASIC_NAMES, COMPOUND_NAMES, ALL_NAMES = (
    rf"(train_\d{{{train}}}|test_\d{{{test}}})(_aligned)?\.jpg" for train, test in ((5, 4), (4, 3), ("4,5", "3,4"))
)


def split_in_name(name: str, path: Path, line: int) -> str:
    """Return the split that an image's name begins with. Raises BrokenSource with file and line."""
    split = name.partition("_")[0]
    if split not in SPLITS or "/" in name or "\\" in name:
        raise broken(path, line, f"the image name {name!r}, which is neither train_... nor test_...")
    return split
