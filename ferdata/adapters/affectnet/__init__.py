"""AffectNet: faces from the web with expression, valence and arousal; both releases, and class-folder repacks."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from ferdata.adapters.affectnet import lists, npy, repacks
from ferdata.adapters.affectnet.lists import LISTS
from ferdata.sources import Layout, Licence, Option, Sample, Skipped, Source
from ferdata.sources.declaration import EITHER
from ferdata.sources.labels_from import BOTH, LABELS_FROM, check_possible

CODES = dict(
    zip(
        map(str, range(11)),
        (
            *("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt"),
            # "None" is a face with none of these expressions, which is not the same as a neutral one.
            *("other", "uncertain", "not_a_face"),
        ),
        strict=True,
    )
)
_EIGHT = list(CODES)[:8]
_TRAIN = (74874, 134415, 25459, 14090, 6378, 3803, 24882, 3750)
REPACKS = ("folders", "numbered", "flat")


def _in_any_split(folder: str) -> str:
    """Return the mark of a class folder: a copy may have one split alone."""
    return EITHER.join(f"{split}/{folder}/*.*" for split in ("[Tt]rain", "[Vv]al*", "[Tt]est"))


SOURCE = Source(
    name="affectnet",
    title="AffectNet",
    homepage="http://mohammadmahoor.com/pages/databases/affectnet/",
    licence=Licence(
        "AffectNet licence agreement",
        "For research only, under a signed agreement; neither images nor lists may be redistributed.",
    ),
    citation="""@article{Mollahosseini2019AffectNet,
  author  = {Mollahosseini, Ali and Hasani, Behzad and Mahoor, Mohammad H.},
  title   = {{AffectNet}: A Database for Facial Expression, Valence, and Arousal Computing in the Wild},
  journal = {IEEE Transactions on Affective Computing},
  volume  = {10},
  number  = {1},
  pages   = {18--31},
  year    = {2019}
}""",
    access="Heads of laboratories and professors; for a student, the supervisor must ask.",
    obtain=(
        "Ask your supervisor, or the head of your laboratory, to read the licence agreement on the homepage.",
        "They sign it and send the request form in, from their own university address.",
        "Download what the answer links to: the newer archives of train_set and val_set, or the first release.",
        "Unpack it. The first release needs Manually_Annotated and Manually_Annotated_file_lists in one folder.",
    ),
    place="data/affectnet/{train_set,val_set}/, or data/affectnet/{Manually_Annotated,Manually_Annotated_file_lists}/",
    content="287,651 training and 3,999 validation faces in eight classes, with valence, arousal and landmarks",
    layouts=(
        Layout(
            "csv",
            (f"{LISTS}/*.csv",),
            CODES,
            {
                "train": dict(zip(_EIGHT[:7], _TRAIN[:7], strict=True)),
                "val": dict.fromkeys(_EIGHT[:7], 500),
            },
            "The first release, with whole pictures, face boxes and three more labels (none, uncertain, no face). "
            "No test set was ever released; papers report the validation set.",
        ),
        Layout(
            "npy",
            ("*_set/annotations", "*_set/images/[0-9]*.*"),
            CODES,
            {
                "train": dict(zip(_EIGHT, _TRAIN, strict=True)),
                "val": dict(zip(_EIGHT, (*[500] * 7, 499), strict=True)),
            },
            "The release of 2021, eight classes. No test set was ever released; papers report the validation set.",
        ),
        Layout(
            "folders",
            (_in_any_split("[Cc]ontempt*"), _in_any_split("[Hh]app*")),
            {},
            note="A repack of unknown origin: its splits may differ from the official ones, and some labels are "
            "changed.",
            splits=("train", "val or test"),
        ),
        Layout(
            "numbered",
            (_in_any_split("0"), _in_any_split("7")),
            CODES,
            note="A repack of unknown origin. Its numbers are read as AffectNet's own ids, 0 neutral to 7 contempt; "
            "some repacks number the classes in alphabetical order, so look at a few pictures of each class.",
            splits=("train", "val or test"),
        ),
        Layout(
            "flat",
            (repacks.NAME, "[Cc]ontempt*/*.*", "[Hh]app*/*.*"),
            {},
            note="A repack of unknown origin, without splits: merge makes random ones.",
            header=(repacks.PICTURE, repacks.LABEL),
        ),
    ),
    options=(
        Option(
            "automatic",
            "Whether to read also the automatically annotated list of the first release, as images without a split.",
            "no",
            ("no", "yes"),
        ),
        LABELS_FROM,
    ),
)


def prepare(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Layout:
    """Return the layout with the labels of a repack mapped. Raises UnknownLabel, BrokenSource, BadOption."""
    if layout.name not in REPACKS:
        return layout
    return repacks.prepare(base, layout, SOURCE.option(options, LABELS_FROM.name) or BOTH)


def samples(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Iterator[Sample | Skipped]:
    """Yield the samples of whichever layout was found."""
    automatic = SOURCE.option(options, "automatic") == "yes"
    labels_from = SOURCE.option(options, LABELS_FROM.name) or BOTH
    if layout.name in REPACKS:
        yield from repacks.samples(base, layout, labels_from)
        return
    check_possible(labels_from, False, f"AffectNet's {layout.name} release")
    if layout.name == "csv":
        yield from lists.samples(base, layout, automatic)
    else:
        yield from npy.samples(base, layout)
