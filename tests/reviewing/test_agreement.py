"""How far reviewers agree, against scikit-learn and the published example."""

import numpy as np
import pytest

from ferdata.reviewing import ledger
from ferdata.reviewing.agreement import agreement
from tests.reviewing.test_ledger import decision


def test_cohens_kappa_is_scikit_learns() -> None:
    from sklearn.metrics import cohen_kappa_score

    rng = np.random.default_rng(0)
    one = rng.choice(["fear", "anger", "sadness"], 200, p=[0.6, 0.3, 0.1])
    other = np.where(rng.random(200) < 0.7, one, rng.choice(["fear", "anger"], 200))
    said = [decision(str(a), "anna", f"p{i}") for i, a in enumerate(one)]
    said += [decision(str(b), "ben", f"p{i}", 1) for i, b in enumerate(other)]
    found = agreement(said)
    assert (found.measure, found.pictures, found.reviewers) == ("Cohen's kappa", 200, ("anna", "ben"))
    assert found.kappa == pytest.approx(cohen_kappa_score(one, other))
    assert found.share == pytest.approx((one == other).mean())


def test_fleiss_kappa_is_that_of_the_published_example() -> None:
    # Ten subjects, fourteen raters, five classes: the worked example of Fleiss' kappa, 0.210.
    table = [[0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1], [7, 7, 0, 0, 0],
             [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7]]  # fmt: skip
    classes = ledger.DECISIONS[:5]
    said = []
    for subject, row in enumerate(table):
        words = [c for c, n in zip(classes, row, strict=True) for _ in range(n)]
        said += [decision(w, f"r{i}", f"p{subject}") for i, w in enumerate(words)]
    found = agreement(said)
    assert found.measure == "Fleiss' kappa"
    assert found.kappa == pytest.approx(0.210, abs=5e-4)


def test_agreement_without_two_opinions_has_no_meaning() -> None:
    assert agreement([decision()]).share is None
    alike = agreement([decision("fear", w, p) for w in ("anna", "ben") for p in ("p0", "p1")])
    assert (alike.share, alike.kappa) == (1.0, None)
