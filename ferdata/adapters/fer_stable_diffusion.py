"""The Kaggle "fer-stable-diffusion" images: faces that no one has, drawn by a generator, in folders of emotions.

Of its folders, names and counts nothing is published that could be checked, so any class folders are read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from ferdata.errors import NotThisDataset
from ferdata.sources import Layout, Licence, Sample, Skipped, Source, class_folders, meaning
from ferdata.sources.words import told_spellings

SOURCE = Source(
    name="fer_stable_diffusion",
    title="FER Stable Diffusion dataset (Kaggle), generated faces",
    homepage="https://www.kaggle.com/datasets/mejiaescobarchris/fer-stable-diffusion-dataset",
    licence=Licence(
        "Kaggle dataset page",
        "Read the terms on its page; they are not known here, so use it for research only.",
    ),
    citation="""@article{MejiaEscobar2023Improving,
  author  = {Mejia-Escobar, Christian and Cazorla, Miguel and Martinez-Martin, Ester},
  title   = {Improving Facial Expression Recognition Through Data Preparation and Merging},
  journal = {IEEE Access},
  volume  = {11},
  pages   = {71339--71360},
  year    = {2023},
  doi     = {10.1109/ACCESS.2023.3293728}
}""",
    access="Anyone with a Kaggle account.",
    obtain=(
        "Sign in to Kaggle, open the dataset's page (see homepage), read its terms and download the archive.",
        "Unpack it; every image must be in a folder named after its emotion, with or without train, val and test "
        "above.",
    ),
    place="data/fer_stable_diffusion/",
    content="generated faces in folders of emotions; how many and how large is not known here",
    kaggle="datasets/mejiaescobarchris/fer-stable-diffusion-dataset",
    layouts=(
        Layout(
            "folders",
            ("*",),
            {},
            note="Every image is generated, not a photograph of a real face. A folder that is not named after an "
            "emotion is refused, or kept without a label by --unknown-labels keep.",
        ),
    ),
    generic=True,  # any folder of class folders would do, so it is never guessed from one
)


def prepare(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Layout:
    """Return the layout with the emotions' folders mapped. Raises NotThisDataset where no image has a folder."""
    del options  # it has none
    found = class_folders.look(base, {})
    if not found.classes:
        raise NotThisDataset(
            f"{base} has no images in class folders.", "Point --root at the folder that holds one folder per emotion."
        )
    # What is no emotion's name stays out of the map, so that it is told, and never guessed at.
    labels = {name: emotion for name in sorted(found.classes) if (emotion := meaning(name, {}))}
    told = filter(None, (layout.note, found.told_splits(), told_spellings(labels, {})))
    return replace(layout, labels=labels, note="\n".join(told))


def samples(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Iterator[Sample | Skipped]:
    """Yield every image as a generated one, its key its path."""
    del layout, options  # there is one layout, and no option
    return class_folders.samples(base, {}, synthetic=True)
