"""RaFD: 67 trained models posing eight expressions, with three directions of gaze, from five angles."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from ferdata.sources import Layout, Licence, Option, Sample, Skipped, Source, images_below, relative

LABELS = {
    "angry": "anger",
    "contemptuous": "contempt",
    "disgusted": "disgust",
    "fearful": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "sad": "sadness",
    "surprised": "surprise",
}
ANGLES = {"all": ("000", "045", "090", "135", "180"), "half": ("045", "090", "135"), "frontal": ("090",)}
MODELS, GAZES = 67, 3  # as the homepage counts them
_MARK = "[Rr]afd[0-9][0-9][0-9]_*_*.*"
_NOTE = (
    "No official split: keep all pictures of one person in one split. Two fifths are profiles; --angles reads fewer. "
    "Counts are for all angles."
)

SOURCE = Source(
    name="rafd",
    title="RaFD (Radboud Faces Database)",
    homepage="https://rafd.socsci.ru.nl/",
    licence=Licence(
        "RaFD terms of use",
        "Free of charge for strictly scientific use; every researcher asks for access; redistribution is not allowed.",
    ),
    citation="""@article{Langner2010Presentation,
  author  = {Langner, Oliver and Dotsch, Ron and Bijlstra, Gijsbert and Wigboldus, Daniel H. J.
             and Hawk, Skyler T. and van Knippenberg, Ad},
  title   = {Presentation and validation of the {Radboud Faces Database}},
  journal = {Cognition and Emotion},
  volume  = {24},
  number  = {8},
  pages   = {1377--1388},
  year    = {2010},
  doi     = {10.1080/02699930903485076}
}""",
    access="Researchers at accredited universities; for a student, the supervisor asks.",
    obtain=(
        "Fill in the request form on the homepage, with a university web page that has your name.",
        "Wait for the confirmation by e-mail; check the spam folder too.",
        "Choose and download the pictures, of all angles or frontal only.",
        "Unpack them into one folder, or into one for each angle.",
    ),
    place="data/rafd/Rafd090_01_Caucasian_female_angry_frontal.jpg and so on",
    content="67 adults and children, eight expressions with contempt among them, three gazes, five angles",
    # Folders come first: where somebody sorted the pictures by angle, one folder alone would pass for the set.
    layouts=tuple(
        Layout(name, (mark,), LABELS, {"all": dict.fromkeys(LABELS, MODELS * GAZES * 5)}, _NOTE)
        for name, mark in (("official", f"*/{_MARK}"), ("flat", _MARK))
    ),
    options=(
        Option(
            "angles",
            "Which views to read: all five; half, without the full profiles; frontal only.",
            "all",
            tuple(ANGLES),
        ),
    ),
)

# Angle, model, ethnicity (or "Kid"), gender, expression, gaze.
_NAME = re.compile(
    rf"rafd(\d{{3}})_(\d+)_([a-z]+)_(male|female)_({'|'.join(LABELS)})_(frontal|left|right)", re.ASCII | re.IGNORECASE
)


def samples(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Iterator[Sample | Skipped]:
    """Yield every picture whose name says all; its key is the name, in which angle and gaze stay.

    Children are called `Kid` where adults have their ethnicity; that is kept as their age, in the publishers' word.
    """
    del layout  # both differ in folders alone
    angles = ANGLES[SOURCE.option(options, "angles") or "all"]
    seen: set[str] = set()
    for path in images_below(base):
        name = _NAME.fullmatch(path.stem)
        if name is None or name[1] not in ANGLES["all"]:
            yield Skipped(relative(path, base), "not a picture of the set by its name")
            continue
        key = path.stem.lower()
        if key in seen:
            yield Skipped(relative(path, base), "the same picture for the second time by its name")
            continue
        seen.add(key)
        if name[1] not in angles:
            continue
        kid = name[3].lower() == "kid"
        yield Sample(
            path.stem,
            relative(path, base),
            native_label=name[5].lower(),
            subject=name[2],
            gender=name[4].lower(),
            ethnicity=None if kid else name[3],
            age=name[3] if kid else None,
        )
