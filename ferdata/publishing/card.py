"""`README.md` of a published manifest: the Hub's dataset card; the Hub and `datasets` read the YAML at its head."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from ferdata.publishing import rai
from ferdata.publishing.columns import IMAGE, LABEL, features, flat, meaning
from ferdata.publishing.facts import Facts
from ferdata.publishing.files import DATA, File
from ferdata.publishing.made import made
from ferdata.publishing.summary import citation, summary

NAME = "README.md"
ALLOWED = {True: "allowed", False: "not allowed", None: "not known"}
LINK = re.compile(r"https?://[^\s()|<>]+")
SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))


def write(facts: Facts, files: Sequence[File], memory: Mapping[str, int]) -> str:
    """Return the card. `files` hold the rows; `memory` is how many bytes each split takes once it is read."""
    head = yaml.safe_dump(front_matter(facts, files, memory), sort_keys=False, allow_unicode=True, width=1000)
    parts = (_what(facts), _counts(facts), _terms(facts), _use(facts), _columns(facts), _made(facts), _cited(facts))
    return f"---\n{head}---\n\n" + "\n".join(line for part in parts for line in part)


def front_matter(facts: Facts, files: Sequence[File], memory: Mapping[str, int]) -> dict[str, Any]:
    """Return what the Hub reads of a card: licence, task, size, where the splits are, features with class names."""
    configs = [{"split": s.name, "path": _path(facts, s.name)} for s in facts.splits if _is_there(facts, s.labelled)]
    document: dict[str, Any] = {
        "pretty_name": facts.name,
        "license": facts.licence,
        **({"license_name": "terms-of-the-sources"} if facts.licence == "other" else {}),
        "task_categories": ["image-classification"],
        "size_categories": [next((name for most, name in SIZES if facts.rows < most), "10M<n<100M")],
        "tags": ["facial-expression-recognition", "emotion", "face", "ferdata", "croissant"],
        "configs": [{"config_name": "default", "data_files": configs}],
    }
    if facts.form != "imagefolder":
        opened = features(facts.names, facts.classes, facts.pixels)
        opened = opened if facts.form == "parquet" else flat(opened, facts.pixels)
        document["dataset_info"] = {
            "features": [_feature(n, f) for n, f in opened.items()],
            "splits": [
                {"name": s.name, "num_bytes": memory.get(s.name, 0), "num_examples": s.rows} for s in facts.splits
            ],
            "download_size": sum(file.size for file in files),
            "dataset_size": sum(memory.values()),
        }
    return document


def _is_there(facts: Facts, labelled: int) -> bool:
    """Say whether a split has files: of a split without labels, class folders have none."""
    return facts.form != "imagefolder" or labelled > 0


def _path(facts: Facts, split: str) -> str:
    return f"{DATA}/{split}" + {"parquet": "-*", "csv": ".csv", "imagefolder": "/**"}[facts.form]


def _feature(name: str, feature: Mapping[str, Any]) -> dict[str, Any]:
    """Return a feature in the short form that cards have."""
    kind = feature["_type"]
    if kind == "Image":
        return {"name": name, "dtype": "image"}
    if kind == "ClassLabel":
        names = {str(i): each for i, each in enumerate(feature["names"])}
        return {"name": name, "dtype": {"class_label": {"names": names}}}
    if kind == "List" and "_type" in feature["feature"]:
        return {"name": name, "list": feature["feature"]["dtype"]}
    if kind == "List":
        return {"name": name, "list": [{"name": n, "dtype": f["dtype"]} for n, f in feature["feature"].items()]}
    return {"name": name, "dtype": feature["dtype"]}


def _what(facts: Facts) -> Iterator[str]:
    yield from (f"# {_plain(facts.name)}", "", _plain(summary(facts)), "")
    place = facts.repo or "path/to/this/folder"
    yield from ("```python", "from datasets import load_dataset", "", f'data = load_dataset("{place}")')
    yield from (*(f'print(data["{split.name}"][0])' for split in facts.splits[:1]), "```", "")
    if not facts.pixels:
        yield from ("The rest is rebuilt from one's own copy of the sources, row for row by hash:", "", "```bash")
        roots = " ".join(f"--root {t.dataset}=path/to/{t.dataset}" for t in facts.terms)
        yield from (f"ferdata rehydrate shared.json -o M.parquet {roots}", "```", "")
    yield from ("`croissant.json` says the same to machines (MLCommons Croissant 1.1), with checksums.", "")


def _counts(facts: Facts) -> Iterator[str]:
    yield from ("## Rows", "")
    names = [split.name for split in facts.splits]
    yield f"| | {' | '.join(names)} | all |"
    yield "|---|" + "---:|" * (len(names) + 1)
    yield _line("rows", [split.rows for split in facts.splits])
    yield _line("with a label", [split.labelled for split in facts.splits])
    for each in facts.classes:
        yield _line(each, [split.classes[each] for split in facts.splits])
    for terms in facts.terms:
        yield _line(f"of {terms.title}", [split.datasets.get(terms.dataset, 0) for split in facts.splits])
    yield ""
    if "no_split" in names:
        yield from (
            "`no_split` holds the rows that are in none of the splits; `split_reason`, where it is, says why.",
            "",
        )
    if facts.form == "imagefolder":
        yield from (
            "Only rows with a label have a file: a folder is a class. Loaders number the classes by the alphabet; "
            "`annotations.csv` has a row for each image.",
            "",
        )


def _line(name: str, counts: Sequence[int]) -> str:
    return f"| {_cell(name)} | {' | '.join(f'{n:,}' for n in counts)} | {sum(counts):,} |"


def _terms(facts: Facts) -> Iterator[str]:
    yield from ("## Sources and terms", "", "Each source's terms hold for what is its own.", "")
    yield "| source | licence | redistribution of the images | commercial use | in their words |"
    yield "|---|---|---|---|---|"
    for t in facts.terms:
        title = f"[{_cell(t.title)}]({t.homepage})" if LINK.fullmatch(t.homepage) else _cell(t.title)
        allowed = f"{ALLOWED[t.redistribution]} | {ALLOWED[t.commercial]}"
        yield f"| {title} | {_cell(t.licence)} | {allowed} | {_cell(t.words)} |"
    yield ""


def _use(facts: Facts) -> Iterator[str]:
    yield from ("## Use, limits, people", "")
    for name, words in rai.fields(facts).items():
        yield f"- **{_in_words(name)}**: {_plain(words)}"
    yield ""


def _in_words(name: str) -> str:
    """Return `Collection missing data` for `dataCollectionMissingData`."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removeprefix("data")).lower()
    return words.strip().capitalize()


def _columns(facts: Facts) -> Iterator[str]:
    yield from ("## Columns", "", "| column | meaning |", "|---|---|")
    for name in (*((IMAGE,) if facts.pixels else ()), LABEL, *facts.names):
        yield f"| `{name}` | {_cell(meaning(name))} |"
    if facts.pixels and facts.form != "parquet":
        yield "| `file_name`, `sha256` | in place of `image`: the file's path in this folder, and its checksum |"
    yield ""


def _made(facts: Facts) -> Iterator[str]:
    yield from ("## How it was made", "")
    yield from (f"{i}. {_plain(words)}" for i, words in enumerate(made(facts), 1))
    yield from ("", f"Manifest fingerprint: `{facts.fingerprint}`.", "")


def _cited(facts: Facts) -> Iterator[str]:
    if cited := citation(facts):
        yield from ("## Cite the sources", "", "```bibtex", cited.replace("```", "'''"), "```", "")


def _plain(text: str) -> str:
    """Return a manifest's words as one line of Markdown that holds no HTML: they may be anybody's."""
    return " ".join(text.split()).replace("<", "&lt;")


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")
