"""muxspace/facial_expressions: 13,718 press and film photographs, most of them labelled by a few volunteers."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from ferdata.labels import EMOTIONS
from ferdata.sources import Layout, Licence, Sample, Skipped, Source, broken, is_image, known, read_table, relative
from ferdata.sources.spelling import spelled

LIST = "data/legend.csv"

SOURCE = Source(
    name="muxspace",
    title="facial_expressions by muxspace",
    homepage="https://github.com/muxspace/facial_expressions",
    licence=Licence(
        "Apache-2.0 for the repository",
        "The licence is the repository's; the photographs are largely press pictures of named people, whose rights "
        "are held by others, so redistribution is not known to be allowed.",
    ),
    citation="""@misc{muxspace,
  author       = {muxspace},
  title        = {facial\\_expressions: a set of images for classifying facial expressions},
  howpublished = {\\url{https://github.com/muxspace/facial_expressions}}
}""",
    access="Anybody; it is a public repository.",
    obtain=(
        "Clone the repository: git clone https://github.com/muxspace/facial_expressions",
        "Keep its folders images and data together.",
    ),
    place="data/muxspace/{images,data/legend.csv}",
    content="13,718 photographs, 13,682 of them labelled; 90 % are neutral or happy, only nine show contempt",
    layouts=(
        Layout(
            "official",
            (LIST, "images"),
            {word: emotion for emotion in EMOTIONS for word in (emotion, emotion.upper())},
            {"all": {"all": 13_718}},
            "No official split: keep all pictures of one person in one split. Each label is by one volunteer. The "
            "repository's other list, 500_picts_satz.csv, contradicts half of them and is not read.",
        ),
    ),
)

_NAME = re.compile(r"(.+)_\d+", re.ASCII)


def samples(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Iterator[Sample | Skipped]:
    """Yield the listed pictures in the list's order, then those that it does not name, without a label.

    The first row of a picture counts; where it is listed again, the reason says whether with the same label.
    """
    del options  # there are none
    path, folder = spelled(base, LIST), spelled(base, "images")
    files = {found.name: found for found in folder.iterdir() if is_image(found.name)}
    first: dict[str, str] = {}
    for line, cells in read_table(path, "image", "emotion"):
        name = cells["image"].strip()
        if not is_image(name) or "/" in name or "\\" in name:
            raise broken(path, line, f"{name!r}, expected the name of a picture")
        label = known(cells["emotion"].strip(), layout, path, line)
        if name in first:
            same = layout.labels.get(first[name], first[name]) == layout.labels.get(label, label)
            yield Skipped(f"{name} (line {line})", "listed again" if same else "listed again with another label")
            continue
        first[name] = label
        yield _sample(base, files.get(name, folder / name), label)
    for name in sorted(files.keys() - first.keys()):
        yield _sample(base, files[name], None)


def _sample(base: Path, path: Path, label: str | None) -> Sample:
    who = _NAME.fullmatch(path.stem)
    return Sample(path.name, relative(path, base), native_label=label, subject=who and who[1])
