"""RAF-DB: faces from the web in seven basic and eleven compound classes; the official tree, or its Kaggle repack.

Both sets call their images train_... and test_..., so the compound set's keys and codes have a prefix.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from ferdata.adapters.rafdb import repack
from ferdata.adapters.rafdb.names import ALL_NAMES, BASIC_NAMES, CODES, COMPOUND_NAMES, LABELS
from ferdata.adapters.rafdb.official import BASIC, LIST, SECOND, Tree, check_compound_codes, is_compound, set_folder
from ferdata.errors import BadOption, BrokenSource
from ferdata.sources import Layout, Licence, Option, Sample, Skipped, Source
from ferdata.sources.labels_from import BOTH, LABELS_FROM, check_possible

COUNTS = {
    "train": dict(zip(CODES, (1290, 281, 717, 4772, 1982, 705, 2524), strict=True)),
    "test": dict(zip(CODES, (329, 74, 160, 1185, 478, 162, 680), strict=True)),
}

SOURCE = Source(
    name="rafdb",
    title="RAF-DB (Real-world Affective Faces Database)",
    homepage="http://www.whdeng.cn/RAF/model1.html",
    licence=Licence(
        "RAF-DB terms of use",
        "For non-commercial research; it may not be redistributed, except for copies within one site.",
    ),
    citation="""@inproceedings{Li2017Reliable,
  author    = {Li, Shan and Deng, Weihong and Du, JunPing},
  title     = {Reliable Crowdsourcing and Deep Locality-Preserving Learning for Expression Recognition in the Wild},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition (CVPR)},
  pages     = {2584--2593},
  year      = {2017}
}
@article{Li2019Reliable,
  author  = {Li, Shan and Deng, Weihong},
  title   = {Reliable Crowdsourcing and Deep Locality-Preserving Learning for Unconstrained Facial Expression
             Recognition},
  journal = {IEEE Transactions on Image Processing},
  volume  = {28},
  number  = {1},
  year    = {2019}
}""",
    access="Researchers, for non-commercial use, on request to the owners.",
    obtain=(
        "Read the terms on the homepage and ask the owners for access by e-mail.",
        "They answer with a link and a password; if no answer comes, ask again.",
        "Download basic and, if wanted, compound: EmoLabel, Annotation, and from Image at least aligned.zip.",
        "Unpack each into its own folder, so that it holds EmoLabel/list_patition_label.txt and Image/aligned/.",
    ),
    place="data/rafdb/{basic,compound}/{EmoLabel,Image,Annotation}/",
    content="15,339 colour faces in seven classes: surprise, fear, disgust, happiness, sadness, anger, neutral; "
    "and a second set of faces in eleven compound classes",
    layouts=(
        Layout(
            "official-both",
            (f"{BASIC}/{LIST}", f"{SECOND}/{LIST}"),
            LABELS,
            COUNTS,
            "Official train and test; there is no validation set. The compound set is beside the basic one: --subset "
            "both reads it too; its rows have no canonical label.",
            names=ALL_NAMES,
        ),
        Layout(
            "official",
            (LIST, "Image"),
            CODES,
            COUNTS,
            "Official train and test; there is no validation set.",
            names=BASIC_NAMES,
        ),
        Layout(
            "official-compound",
            (f"{SECOND}/{LIST}",),
            LABELS,
            note="The compound set only: two emotions at once, so no row has a canonical label; the column "
            "compound_label names both. It is recognised by its list: codes up to 11, names like train_0001.jpg. Its "
            "totals are from one source only (3,162 train, 792 test), so counts are not compared.",
            splits=("train", "test"),
            names=COMPOUND_NAMES,
        ),
        Layout(
            "kaggle",
            ("train/[1-7]/train_*.* or test/[1-7]/test_*.*",),
            CODES,
            COUNTS,
            "A repack of the aligned images, without annotations. Official train and test; some copies have train "
            "alone, 12,271 images.",
            names=BASIC_NAMES,
        ),
    ),
    options=(
        Option(
            "faces",
            "Which images of the official tree to read: aligned (100 x 100), or original, with landmarks and boxes.",
            "aligned",
            ("aligned", "original"),
        ),
        Option(
            "landmarks",
            "Which landmarks to read with original images: manual, five points; auto, 37 detected points.",
            "manual",
            ("manual", "auto"),
        ),
        Option(
            "subset",
            "Which set to read if both are there; a single set is always read.",
            "basic",
            ("basic", "compound", "both"),
        ),
        LABELS_FROM,
    ),
)


def prepare(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Layout:
    """Return the layout of the set that is there, whatever its folder is called. Raises BrokenSource, UnknownLabel."""
    if layout.name == "official" and is_compound(base):
        layout = next(other for other in SOURCE.layouts if other.name == "official-compound")
    for compound in _chosen(layout, options) if layout.name != "kaggle" else ():
        folder = set_folder(base, compound)
        if is_compound(folder) != compound:
            raise BrokenSource(
                f"{folder} holds the {'basic' if compound else 'compound'} set, by its list of labels.",
                "Is one set there twice? Unpack each set into its own folder, basic and compound.",
            )
        if compound:
            check_compound_codes(folder, layout)
    return layout


def samples(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Iterator[Sample | Skipped]:
    """Yield the samples of whichever layout was found."""
    original = SOURCE.option(options, "faces") == "original"
    auto = SOURCE.option(options, "landmarks") == "auto"
    labels_from = SOURCE.option(options, LABELS_FROM.name) or BOTH
    if auto and not original:
        raise BadOption("The automatic landmarks are for the original images.", "Add --faces original.")
    if layout.name == "kaggle":
        yield from repack.samples(base, layout, labels_from)
        return
    check_possible(labels_from, False, f"RAF-DB's {layout.name} layout")
    for compound in _chosen(layout, options):
        yield from Tree(base, set_folder(base, compound), compound, original, auto).samples(layout)


def _chosen(layout: Layout, options: Mapping[str, str | None]) -> list[bool]:
    """Return the sets to read, each as whether it is the compound one."""
    if layout.name != "official-both":
        return [layout.name == "official-compound"]
    subset = SOURCE.option(options, "subset")
    return [compound for compound, name in ((False, "basic"), (True, "compound")) if subset in (name, "both")]
