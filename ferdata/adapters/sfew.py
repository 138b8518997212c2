"""SFEW 2.0: still frames of films in seven expressions; the official folders, or a repack with a table."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from ferdata.errors import BrokenSource
from ferdata.sources import (
    Layout,
    Licence,
    Option,
    Sample,
    Skipped,
    Source,
    broken,
    images_below,
    is_image,
    known,
    read_table,
    relative,
)
from ferdata.sources.spelling import declared_label, spelled

LABELS = {
    "Angry": "anger",
    "Disgust": "disgust",
    "Fear": "fear",
    "Happy": "happiness",
    "Neutral": "neutral",
    "Sad": "sadness",
    "Surprise": "surprise",
}
SPLITS = {"Train": "train", "Val": "val", "Test": "test"}
ALIGNED = "_Aligned_Faces"
TABLE = "sfew_2.0_labels.csv"

SOURCE = Source(
    name="sfew",
    title="SFEW 2.0 (Static Facial Expressions in the Wild)",
    homepage="https://cs.anu.edu.au/few/AFEW.html",
    licence=Licence("AFEW/SFEW licence", "For academic research under a signed form; redistribution is not allowed."),
    citation="""@inproceedings{Dhall2011Static,
  author    = {Dhall, Abhinav and Goecke, Roland and Lucey, Simon and Gedeon, Tom},
  title     = {Static Facial Expression Analysis in Tough Conditions: Data, Evaluation Protocol and Benchmark},
  booktitle = {IEEE International Conference on Computer Vision Workshops (ICCVW)},
  pages     = {2106--2112},
  year      = {2011}
}
@inproceedings{Dhall2015Video,
  author    = {Dhall, Abhinav and Ramana Murthy, O. V. and Goecke, Roland and Joshi, Jyoti and Gedeon, Tom},
  title     = {Video and Image based Emotion Recognition Challenges in the Wild: {EmotiW} 2015},
  booktitle = {ACM International Conference on Multimodal Interaction (ICMI)},
  pages     = {423--426},
  year      = {2015}
}""",
    access="Academic researchers who sign the licence form.",
    obtain=(
        "Download the licence form for AFEW and SFEW from the homepage and have it signed.",
        "Send it to the address that the form names, and wait for links and passwords.",
        "Download SFEW 2.0: Train and Val, whole frames or aligned faces, and Test if you want it unlabelled.",
        "Unpack the archives into one folder.",
    ),
    place="data/sfew/{Train_Aligned_Faces,Val_Aligned_Faces}/{Angry,...}/, or data/sfew/{Train,Val}/{Angry,...}/",
    content="movie stills in seven classes: angry, disgust, fear, happy, neutral, sad, surprise; test is unlabelled",
    layouts=(
        Layout(
            "official",
            ("Train*/Angry or Val*/Angry", "Train*/Surprise or Val*/Surprise"),
            LABELS,
            splits=("train", "val"),
            note="Official train and val; the labels of test were never released, so papers report val.",
        ),
        Layout(
            "table",
            (TABLE, "sfew2.0_images"),
            LABELS,
            splits=("train", "val"),
            note="A repack of the aligned faces under new names, so frames of one clip cannot be identified. "
            "Official train and val; papers report val.",
        ),
    ),
    options=(
        Option(
            "faces",
            "Which images of the official folders to read: aligned faces, or original, the whole frames.",
            "aligned",
            ("aligned", "original"),
        ),
    ),
)


def samples(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Iterator[Sample | Skipped]:
    """Yield the samples of whichever layout was found."""
    faces = SOURCE.option(options, "faces") or "aligned"
    if layout.name == "official":
        yield from _official(base, layout, faces)
    else:
        yield from _table(base, layout)


# Film, time of the clip (HHMMSSmmm), number of the frame: Hangover_005806334_00000019.
_CLIP = re.compile(r"(.+_\d{9})_(\d{1,9})", re.ASCII)


def _official(base: Path, layout: Layout, faces: str) -> Iterator[Sample | Skipped]:
    """Read class folders below those of the splits; the key is the same for a frame and its aligned face.

    Pictures of test lie in no class folder and come without a label; elsewhere such a picture is left out.
    """
    ending, others, other = (ALIGNED, "", "original") if faces == "aligned" else ("", ALIGNED, "aligned")
    for folder in ("Train", "Val"):
        wanted = spelled(base, f"{folder}{ending}")
        if not wanted.is_dir() and spelled(base, f"{folder}{others}").is_dir():
            raise BrokenSource(f"There is no folder {wanted}.", f"Unpack its archive there, or use --faces {other}.")
    for folder, split in SPLITS.items():
        root = spelled(base, f"{folder}{ending}")
        seen: set[str] = set()
        for path in images_below(root) if root.is_dir() else ():
            label = declared_label(path.parent.name, layout) if path.parent != root else None
            key = "/".join(part for part in (folder, label, path.stem) if part)
            if label is not None and label not in layout.labels:
                yield Skipped(relative(path, base), "in a folder that is not a class")
            elif label is None and split != "test":
                yield Skipped(relative(path, base), "in no class folder")
            elif key in seen:
                yield Skipped(relative(path, base), "the same picture for the second time by its name")
            else:
                seen.add(key)
                clip = _CLIP.fullmatch(path.stem)
                yield Sample(
                    key,
                    relative(path, base),
                    native_label=label,
                    sequence=clip and clip[1],
                    frame=clip and int(clip[2]),
                    official_split=split,
                )


def _table(base: Path, layout: Layout) -> Iterator[Sample]:
    """Read the repack's table; its column `emotion` says the class, so that the order of its ids is not needed."""
    path, folder = spelled(base, TABLE), spelled(base, "sfew2.0_images")
    seen: set[str] = set()
    for line, cells in read_table(path, "image_name", "emotion", "original_split"):
        name = cells["image_name"].strip()
        if not is_image(name) or "/" in name or "\\" in name:
            raise broken(path, line, f"{name!r}, expected the name of a picture")
        if name in seen:
            raise broken(path, line, f"{name} for the second time")
        seen.add(name)
        word = cells["original_split"].strip()
        split = SPLITS.get(word.removesuffix(ALIGNED))
        if split is None:
            raise broken(path, line, f"original_split {word!r}, expected one of {', '.join(SPLITS)}")
        label = known(cells["emotion"].strip(), layout, path, line)
        yield Sample(name, relative(folder / name, base), native_label=label, official_split=split)
    unlisted = (p for p in folder.iterdir() if is_image(p.name) and p.name not in seen)
    for picture in sorted(unlisted):
        yield Sample(f"unlisted/{picture.name}", relative(picture, base))
