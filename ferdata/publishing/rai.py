"""Croissant's 20 fields on responsible AI, filled from what a manifest knows; of the rest: not known."""

from collections.abc import Mapping

from ferdata.publishing.facts import Facts
from ferdata.publishing.made import made, ordered
from ferdata.publishing.terms import NOT_KNOWN

USE = "Research on facial expression recognition, and teaching: classification of the expression that a face shows."
NOT_FOR = (
    "Not for decisions about people (hiring, schooling, policing, insurance, diagnosis, proctoring), nor for "
    "identifying anybody. Inferring emotions at work or in education is forbidden in the EU (Regulation "
    "2024/1689, article 5(1)(f)), medical and safety reasons aside."
)


def fields(facts: Facts) -> dict[str, str]:
    """Return the value of each field, by its name without the prefix `rai:`."""
    return {**_collection(facts), **_annotation(facts), **_use(facts)}


def _collection(facts: Facts) -> Mapping[str, str]:
    sources = "; ".join(f"{t.title} ({t.homepage or 'no homepage'})" for t in facts.terms)
    unlabelled = facts.rows - facts.labelled
    drawn = f"{facts.synthetic:,} of {facts.rows:,} images are generated, not photographed."
    low = f"{facts.width[0]:,} x {facts.height[0]:,}"
    high = f"{facts.width[1]:,} x {facts.height[1]:,}"
    return {
        "dataCollection": f"Images of faces from {len(facts.terms)} source(s): {sources}. {drawn} How each was "
        "collected, its publishers say.",
        "dataCollectionType": "Secondary data: published datasets and image folders, brought together with ferdata.",
        "dataCollectionMissingData": f"{unlabelled:,} of {facts.rows:,} rows have no label. Age is known of "
        f"{facts.people['age']:,} rows, gender of {facts.people['gender']:,}, ethnicity of "
        f"{facts.people['ethnicity']:,}.",
        "dataCollectionRawData": f"The sources' own image files, {low} to {high} pixels (smallest and largest width "
        "and height).",
        "dataCollectionTimeframe": NOT_KNOWN,
        "dataPreprocessingProtocol": "; ".join(made(facts)) or NOT_KNOWN,
        "dataImputationProtocol": "None: what the publishers do not say stays empty.",
        "dataManipulationProtocol": f"{facts.aligned:,} of {facts.rows:,} images were aligned (cut and turned upright "
        "by ferdata); the others are as their publishers provide them.",
    }


def _annotation(facts: Facts) -> Mapping[str, str]:
    steps = sorted({str(step["step"]) for step in ordered(facts)} & {"align", "audit"})
    tools = f"({', '.join(steps)})" if steps else "(no detector, no audit)"
    per_item = NOT_KNOWN
    if facts.voters:
        low, high = facts.voters
        votes = f"{low}" if low == high else f"{low} to {high}"
        per_item = f"{votes} votes on each of {facts.voted:,} images"
        per_item += f"; of the others: {NOT_KNOWN}" if facts.voted < facts.rows else ""
    return {
        "dataAnnotationProtocol": f"The labels are the sources' own, mapped to the taxonomy {facts.taxonomy} "
        f"({', '.join(facts.classes)}); votes are settled by the policy {facts.vote_policy}. How the annotators were "
        "asked, each source's publication says.",
        "dataAnnotationPlatform": NOT_KNOWN,
        "dataAnnotationAnalysis": f"{facts.reviewed:,} of {facts.rows:,} rows were reviewed by a person with ferdata "
        f"(reviewed_label); {facts.voted:,} rows have votes, {facts.rated:,} have ratings.",
        "annotationsPerItem": per_item,
        "annotatorDemographics": NOT_KNOWN,
        "machineAnnotationTools": f"ferdata {facts.ferdata} {tools}; {facts.proposed:,} of {facts.rows:,} labels were "
        "proposed by a net.",
    }


def _use(facts: Facts) -> Mapping[str, str]:
    counts = {c: sum(split.classes[c] for split in facts.splits) for c in facts.classes}
    shares = ", ".join(f"{c} {n / max(facts.labelled, 1):.1%}" for c, n in counts.items())
    people = ", ".join(f"{name} ({n:,} rows)" for name, n in facts.people.items() if n)
    pixels = "Faces are in it." if facts.pixels else "No pixels are in it; the rows name images by hash."
    by_whom = "shared.json names who reviewed rows. " if facts.reviewed and not facts.pixels else ""
    terms = "; ".join(f"{t.title}: {t.licence}" for t in facts.terms)
    return {
        "dataUseCases": f"{USE} {NOT_FOR}",
        "dataLimitations": "An expression is not a feeling: a label says what annotators read in one face, not what "
        "the person felt. Posed expressions, web images and one culture's faces do not stand for all. Which of these "
        "are in it, the sources say.",
        "dataBiases": f"Class shares of the labelled rows: {shares}. Age, gender and ethnicity of most people are "
        f"{NOT_KNOWN}, so biases in them cannot be measured here."
        if not all(facts.people[name] == facts.rows for name in ("age", "gender", "ethnicity"))
        else f"Class shares of the labelled rows: {shares}.",
        "personalSensitiveInformation": f"{pixels} {by_whom}What is known of the people shown: "
        f"{people or 'nothing'}. Whether they "
        f"consented to this use: {NOT_KNOWN} here; see the sources.",
        "dataSocialImpact": "Models of facial expression are used to judge people, for which they are not fit. "
        + NOT_FOR,
        "dataReleaseMaintenancePlan": f"{NOT_KNOWN}. It is made from a ferdata manifest with the fingerprint "
        f"{facts.fingerprint}; whoever has the sources can make it again. Terms of the sources: {terms}.",
    }
