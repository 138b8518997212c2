"""docs/questions.md: its links lead somewhere, and its worked example is what Keras would count."""

import re

import numpy as np

from tests.conftest import REPOSITORY

PAGE = REPOSITORY / "docs" / "questions.md"
LAB_NOTES = {"scaling", "open-layers", "gradual", "norm", "class-weights", "size", "augmentation", "head", "xgboost"}
LAB_NOTES |= {"scratch"}  # its sections


def anchor(heading: str) -> str:
    """Return what GitHub calls a heading in a link."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_its_links_lead_to_headings_and_files_that_there_are():
    text = PAGE.read_text(encoding="utf-8")
    links = set(re.findall(r"\]\(([^)]+)\)", text))
    anchors = {f"#{anchor(heading)}" for heading in re.findall(r"^## (.+)$", text, re.MULTILINE)}
    assert {link for link in links if link.startswith("#")} == anchors
    files = {link for link in links if not link.startswith(("#", "https://", "lab-notes.md"))}
    assert all((PAGE.parent / file).is_file() for file in files)
    assert {link for link in links if link.startswith("lab-notes.md#")} == {
        f"lab-notes.md#{part}" for part in LAB_NOTES
    }


def test_the_example_gives_the_figures_that_it_explains():
    """Build the 100 answers, and count as Keras does: each class by itself, above 0.5, all classes together."""
    text = PAGE.read_text(encoding="utf-8")
    (sure_right, sure_wrong), (right, wrong) = (
        map(int, re.search(rf"^\| {row} \| (\d+) \| (\d+) \|$", text, re.MULTILINE).groups())
        for row in ("above 0.5", "0.5 or less")
    )
    answers = [(0.6, True)] * sure_right + [(0.6, False)] * sure_wrong + [(0.4, True)] * right + [(0.4, False)] * wrong
    probabilities = np.array([[top, *[(1 - top) / 6] * 6] for top, _ in answers])
    truth = np.eye(7, dtype=bool)[[0 if hit else 3 for _, hit in answers]]
    above = probabilities > 0.5
    assert len(answers) == 100
    assert np.mean(probabilities.argmax(1) == truth.argmax(1)) == 0.52
    assert round((above & truth).sum() / above.sum(), 2) == 0.71
    assert (above & truth).sum() / truth.sum() == 0.30
