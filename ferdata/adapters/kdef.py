"""KDEF: 70 people posing seven expressions, each photographed twice from five angles."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from ferdata.sources import Layout, Licence, Option, Sample, Skipped, Source, images_below, relative

CODES = {
    "AF": "fear",
    "AN": "anger",
    "DI": "disgust",
    "HA": "happiness",
    "NE": "neutral",
    "SA": "sadness",
    "SU": "surprise",
}
GENDERS = {"F": "female", "M": "male"}
ANGLES = {"all": ("FL", "HL", "S", "HR", "FR"), "half": ("HL", "S", "HR"), "straight": ("S",)}
CUT_SHORT = ("AF31V", "AM31H")  # names that the publishers' archive has without expression and angle
_MARK = "[ABab][FMfm][0-9][0-9][A-Za-z][A-Za-z][A-Za-z]*.*"
_NOTE = (
    "No official split: keep all pictures of one person, of both sessions, in one split. Two fifths are profiles; "
    "--angles reads fewer. A few pictures are reported to be black."
)

SOURCE = Source(
    name="kdef",
    title="KDEF (Karolinska Directed Emotional Faces)",
    homepage="https://www.kdef.se/",
    licence=Licence("KDEF terms of use", "For non-commercial research; the pictures may not be redistributed."),
    citation="""@misc{Lundqvist1998Karolinska,
  author       = {Lundqvist, Daniel and Flykt, Anders and {\\"O}hman, Arne},
  title        = {The {Karolinska} Directed Emotional Faces ({KDEF})},
  howpublished = {CD ROM from Department of Clinical Neuroscience, Psychology section, Karolinska Institutet},
  year         = {1998},
  isbn         = {91-630-7164-9}
}""",
    access="Researchers, for non-commercial use, from the homepage.",
    obtain=(
        "Read the terms of use on the homepage and accept them there.",
        "Download the archive of KDEF; AKDEF, with averaged faces of the same people, is not supported.",
        "Unpack it, so that the folder holds KDEF/AF01/AF01AFFL.JPG and so on.",
    ),
    place="data/kdef/KDEF/{AF01,AF02,...}/",
    content="4,900 colour pictures, 562 x 762: 70 people, seven expressions, five angles, two sessions",
    layouts=(
        # By person, as published, or by whatever else somebody sorted them.
        Layout("official", (f"*/{_MARK}",), CODES, note=_NOTE),
        Layout("flat", (_MARK,), CODES, note=_NOTE),
    ),
    options=(
        Option(
            "angles",
            "Which views to read: all five; half, without the full profiles; straight, frontal only.",
            "all",
            tuple(ANGLES),
        ),
    ),
)

# Session, gender and number, expression, angle.
_NAME = re.compile(r"([AB])([FM]\d\d)(AF|AN|DI|HA|NE|SA|SU)(FL|HL|S|HR|FR)", re.ASCII)


def samples(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Iterator[Sample | Skipped]:
    """Yield every picture whose name says all; its key is the name, in which the angle stays.

    One number stands for a woman and for a man, so the subject is gender and number (`F01`).
    """
    del layout  # both differ in folders alone
    angles = ANGLES[SOURCE.option(options, "angles") or "all"]
    seen: set[str] = set()
    for path in images_below(base):
        stem = path.stem.strip().upper()
        name = _NAME.fullmatch(stem)
        if name is None:
            cut = stem in CUT_SHORT
            reason = "a name that the publishers cut short: its expression is not known"
            yield Skipped(relative(path, base), reason if cut else "not a picture of the set by its name")
        elif stem in seen:
            yield Skipped(relative(path, base), "the same picture for the second time by its name")
        elif name[4] in angles:
            seen.add(stem)
            gender = GENDERS[name[2][0]]
            yield Sample(stem, relative(path, base), native_label=name[3], subject=name[2], gender=gender)
