"""The Kaggle "face expression recognition" pack: FER2013's images, split anew into train and validation."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from ferdata.sources import Layout, Licence, Sample, Skipped, Source, images_below, relative
from ferdata.sources.spelling import declared_label, spelled

FOLDERS = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "sad": "sadness",
    "surprise": "surprise",
}
COUNTS = {
    "train": dict(zip(FOLDERS, (3993, 436, 4103, 7164, 4982, 4938, 3205), strict=True)),
    "val": dict(zip(FOLDERS, (960, 111, 1018, 1825, 1216, 1139, 797), strict=True)),
}
SPLITS = {"train": "train", "validation": "val"}

SOURCE = Source(
    name="kaggle_face_expression",
    title="Face expression recognition dataset (Kaggle): FER2013 with another split",
    homepage="https://www.kaggle.com/datasets/jonathanoheix/face-expression-recognition-dataset",
    licence=Licence(
        "Kaggle dataset page",
        "The images are FER2013's, for which no open licence is stated. Use it for research only.",
    ),
    citation="""@article{Goodfellow2013Challenges,
  author  = {Goodfellow, Ian J. and Erhan, Dumitru and Carrier, Pierre Luc and Courville, Aaron and others},
  title   = {Challenges in Representation Learning: A Report on Three Machine Learning Contests},
  journal = {arXiv preprint arXiv:1307.0414},
  year    = {2013}
}""",
    access="Anyone with a Kaggle account.",
    obtain=(
        "Consider fer2013 first: it has the same images with the official split.",
        "Sign in to Kaggle, open the dataset's page (see homepage) and download the archive.",
        "Unpack it, so that the folder holds images/train/ and images/validation/.",
    ),
    place="data/kaggle_face_expression/images/{train,validation}/",
    content="35,887 grey faces of 48 x 48 pixels in seven classes: FER2013's images in the uploader's split",
    kaggle="datasets/jonathanoheix/face-expression-recognition-dataset",
    layouts=(
        Layout(
            "images",
            ("images/train/angry/[0-9]*.* or images/validation/angry/[0-9]*.*",),
            FOLDERS,
            COUNTS,
            "These are FER2013's images with a split by the uploader: the validation set mixes all three official "
            "splits, so results on it do not compare with FER2013's, and merged with fer2013 or ferplus every face "
            "is a duplicate.",
            names=r"\d+\.jpg",
        ),
    ),
)


def samples(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Iterator[Sample | Skipped]:
    """Yield the class folders' images; a number occurs in both splits, so the split is part of the key."""
    del options  # there are none
    for folder, split in SPLITS.items():
        for path in images_below(spelled(base, f"images/{folder}")):
            image, label = relative(path, base), declared_label(path.parent.name, layout)
            if not path.stem.isdecimal():
                yield Skipped(image, "not one of the pack's names, which are numbers")
                continue
            yield Sample(f"{folder}/{label}/{path.stem}", image, native_label=label, official_split=split)
