"""croissant.json: complete by the format's rules, by mlcroissant where it is installed, and true of the files."""

import hashlib
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from ferdata.steps.publish import publish
from tests.publishing.hub import croissant

# https://docs.mlcommons.org/croissant/docs/croissant-rai-spec.html
RAI = {
    "dataLimitations", "dataBiases", "personalSensitiveInformation", "dataUseCases", "dataSocialImpact",
    "dataReleaseMaintenancePlan", "dataCollection", "dataCollectionType", "dataCollectionMissingData",
    "dataCollectionRawData", "dataCollectionTimeframe", "dataPreprocessingProtocol", "dataImputationProtocol",
    "dataManipulationProtocol", "dataAnnotationProtocol", "dataAnnotationPlatform", "dataAnnotationAnalysis",
    "annotationsPerItem", "annotatorDemographics", "machineAnnotationTools",
}  # fmt: skip
REQUIRED = {
    "@context", "@type", "conformsTo", "name", "description", "license", "url", "creator", "datePublished",
    "distribution", "version", "citeAs",
}  # fmt: skip


@pytest.fixture(scope="module", params=["parquet", "csv", "imagefolder"])
def published(request: pytest.FixtureRequest, mine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / str(request.param)
    return publish(mine, out=out, form=request.param, licence=["mine=cc0-1.0"]).out


def nodes(value: Any) -> list[dict[str, Any]]:
    """Return every object of a document."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [*([value] if isinstance(value, dict) else []), *(node for each in inner for node in nodes(each))]


def test_it_has_what_the_format_requires_and_all_20_fields_on_responsible_ai(published: Path) -> None:
    document = croissant(published)
    assert REQUIRED - set(document) == set()
    assert document["conformsTo"] == ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
    said = {name.partition(":")[2]: words for name, words in document.items() if name.startswith("rai:")}
    assert set(said) == RAI
    assert len(said) == 20
    assert all(words.strip() for words in said.values())
    assert said["dataCollectionTimeframe"] == "not known"
    assert "1 of 28 rows have no label" in said["dataCollectionMissingData"]


def test_each_file_of_rows_is_there_with_its_checksum(published: Path) -> None:
    objects = [each for each in croissant(published)["distribution"] if each["@type"] == "cr:FileObject"]
    assert objects
    for each in objects:
        data = (published / each["contentUrl"]).read_bytes()
        assert each["sha256"] == hashlib.sha256(data).hexdigest()
        assert each["contentSize"] == f"{len(data)} B"


def test_every_reference_leads_somewhere_and_no_id_stands_twice(published: Path) -> None:
    document = croissant(published)
    body = nodes([document["distribution"], document["recordSet"]])
    named = [node["@id"] for node in body if "@id" in node and len(node) > 1]
    assert len(named) == len(set(named))
    assert {node["@id"] for node in body if set(node) == {"@id"}} - set(named) == set()


def test_its_provenance_is_the_lineage_and_names_no_folder(published: Path, mine: Path) -> None:
    document = croissant(published)
    steps = [each["prov:label"] for each in document["prov:wasGeneratedBy"]]
    assert [step.split()[2] for step in steps] == ["ingest", "merge"]
    assert "labels labels.toml" in steps[0]
    assert str(mine.parent) not in json.dumps(document)


@pytest.mark.skipif(find_spec("mlcroissant") is None, reason="mlcroissant is not installed; its rules are held above")
def test_mlcroissant_finds_no_fault_and_gives_ten_records(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import itertools

    import mlcroissant

    monkeypatch.chdir(published)
    dataset = mlcroissant.Dataset(jsonld="croissant.json")
    issues = dataset.metadata.ctx.issues
    assert (list(issues.errors), list(issues.warnings)) == ([], [])
    assert len(list(itertools.islice(dataset.records(record_set="rows"), 10))) == 10
