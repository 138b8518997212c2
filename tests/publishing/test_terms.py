"""Terms: the stricter of what was recorded and what is declared; a licence can be stated only for one's own."""

from pathlib import Path

import pytest

from ferdata import manifest
from ferdata.errors import BadOption
from ferdata.manifest import Manifest
from ferdata.publishing.terms import of_sources
from ferdata.steps.ingest import ingest
from tests.conftest import make_rows, metadata_of
from tests.fakes import layouts


@pytest.fixture(scope="module")
def ferplus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ferplus")
    layouts()["ferplus", "png"](root)
    return ingest("ferplus", root=root, out=root.parent / "fp.parquet").out


def test_ferplus_votes_may_be_passed_on_and_its_pixels_may_not(ferplus: Path) -> None:
    (terms,) = of_sources(Manifest(ferplus))
    assert (terms.redistribution, terms.annotations) == (False, True)
    assert "MIT" in terms.words


def test_what_a_manifest_says_frees_no_dataset_whose_terms_are_declared(ferplus: Path, tmp_path: Path) -> None:
    opened = Manifest(ferplus)
    metadata = {k: opened.metadata[k] for k in ("sources", "vote_policy", "taxonomy", "lineage")}
    metadata["sources"] = {"ferplus": {**opened.sources["ferplus"], "redistribution": True, "commercial": True}}
    manifest.write(tmp_path / "freed.parquet", opened.batches(), metadata)
    (terms,) = of_sources(Manifest(tmp_path / "freed.parquet"))
    assert (terms.redistribution, terms.commercial) == (False, False)


def test_a_licence_is_stated_for_images_of_ones_own(mine: Path) -> None:
    (unknown,) = of_sources(Manifest(mine))
    assert unknown.redistribution is None
    (terms,) = of_sources(Manifest(mine), ["mine=cc-by-nc-4.0"])
    assert (terms.redistribution, terms.commercial, terms.identifier) == (True, False, "cc-by-nc-4.0")
    assert terms.where == "https://creativecommons.org/licenses/by-nc/4.0/"


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ("mine=research-only", "not a licence that ferdata knows to allow redistribution"),
        ("mine", "not a licence"),
        ("other=mit", "has no dataset 'other'"),
    ],
)
def test_a_licence_that_allows_nothing_or_of_nothing_is_refused(mine: Path, stated: str, words: str) -> None:
    with pytest.raises(BadOption, match=words):
        of_sources(Manifest(mine), [stated])


def test_no_licence_is_stated_over_terms_that_are_known(ferplus: Path) -> None:
    with pytest.raises(BadOption, match="do not allow redistribution") as error:
        of_sources(Manifest(ferplus), ["ferplus=cc0-1.0"])
    assert "your own" in error.value.hint


def test_a_source_without_an_adapter_has_the_terms_that_were_recorded(tmp_path: Path) -> None:
    batch = make_rows([{"native_label": "fear"}])
    manifest.write(tmp_path / "made.parquet", [batch], metadata_of(batch))
    (terms,) = of_sources(Manifest(tmp_path / "made.parquet"))
    assert (terms.redistribution, terms.commercial, terms.annotations) == (True, True, True)
