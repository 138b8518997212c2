"""`croissant.json`: the published folder as MLCommons' Croissant 1.1 describes datasets, for loaders and search."""

import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ferdata.publishing import rai
from ferdata.publishing.columns import IMAGE, LABEL, meaning
from ferdata.publishing.facts import Facts
from ferdata.publishing.files import TABLE, File
from ferdata.publishing.made import made
from ferdata.publishing.summary import citation, own_entry, summary
from ferdata.schema import BY_NAME

NAME = "croissant.json"
CONFORMS = "http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"
VERSION = "1.0.0"
HUB = "https://huggingface.co"
SPLITS, LABELS, ROWS = "splits", "labels", "rows"
TYPES: Mapping[str, str] = {
    **{"string": "sc:Text", "bool": "sc:Boolean"},
    **dict.fromkeys(("uint64", "int64", "int32", "int16"), "sc:Integer"),
    **dict.fromkeys(("float32",), "sc:Float"),
}
CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "annotation": "cr:annotation",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "excludes": "cr:excludes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "prov": "http://www.w3.org/ns/prov#",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "readLines": "cr:readLines",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "sdVersion": "cr:sdVersion",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
    "unArray": "cr:unArray",
    "value": "cr:value",
}
Json = dict[str, Any]


def write(facts: Facts, files: Sequence[File], today: datetime.date) -> str:
    """Return croissant.json: `files` are those that hold rows, `today` is when the folder is made."""
    return json.dumps(document(facts, files, today), ensure_ascii=False, indent=1) + "\n"


def document(facts: Facts, files: Sequence[File], today: datetime.date) -> Json:
    """Return the whole description."""
    url = f"{HUB}/datasets/{facts.repo}" if facts.repo else f"urn:ferdata:{facts.fingerprint}"
    owner = facts.repo.partition("/")[0] if facts.repo else "not known"
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": list(CONFORMS),
        "name": facts.name,
        "description": summary(facts),
        "url": url,
        "license": sorted({t.where for t in facts.terms}),
        "creator": {"@type": "sc:Organization", "name": owner},
        "datePublished": today.isoformat(),
        "version": VERSION,
        "keywords": ["facial expression recognition", "emotion", "face", *facts.classes],
        "isLiveDataset": False,
        "citeAs": citation(facts) or own_entry(facts),
        **_provenance(facts),
        **{f"rai:{name}": words for name, words in rai.fields(facts).items()},
        "distribution": [*map(_file, files), _file_set(facts)],
        "recordSet": [_splits(facts), _labels(facts), _rows(facts)],
    }


def _provenance(facts: Facts) -> Json:
    """Return what it was derived from and by which steps, in the words of PROV-O."""
    sources = [
        {"@type": "prov:Entity", "@id": t.homepage or f"urn:ferdata:source:{t.dataset}", "prov:label": t.title}
        for t in facts.terms
    ]
    activities = [{"@type": "prov:Activity", "prov:label": words} for words in made(facts)]
    return {
        "prov:wasDerivedFrom": sources,
        **({"prov:wasGeneratedBy": activities} if activities else {}),
        "prov:wasAttributedTo": {"@type": "prov:SoftwareAgent", "prov:label": f"ferdata {facts.ferdata}"},
    }


def _file(file: File) -> Json:
    return {
        "@type": "cr:FileObject",
        "@id": file.path,
        "name": file.path,
        "description": f"Rows of the split {file.split}." if file.split else "A row for each image.",
        "contentUrl": file.path,
        "contentSize": f"{file.size} B",
        "encodingFormat": _encoding(file.path),
        "sha256": file.sha256,
    }


def _file_set(facts: Facts) -> Json:
    includes = {"parquet": "data/*.parquet", "csv": "data/*.csv", "imagefolder": TABLE}[facts.form]
    return {
        "@type": "cr:FileSet",
        "@id": "files",
        "name": "files",
        "description": "All files that hold rows.",
        "encodingFormat": _encoding(includes),
        "includes": includes,
    }


def _encoding(path: str) -> str:
    return "application/x-parquet" if path.endswith(".parquet") else "text/csv"


def _splits(facts: Facts) -> Json:
    rows = [
        {f"{SPLITS}/name": s.name, f"{SPLITS}/rows": s.rows, f"{SPLITS}/labelled": s.labelled} for s in facts.splits
    ]
    return {
        "@type": "cr:RecordSet",
        "@id": SPLITS,
        "name": SPLITS,
        "description": "The splits, with their rows and how many of these have a label.",
        "dataType": "cr:Split",
        "key": {"@id": f"{SPLITS}/name"},
        "field": [
            _field(SPLITS, "name", "sc:Text", "the split's name"),
            _field(SPLITS, "rows", "sc:Integer", "how many rows it has"),
            _field(SPLITS, "labelled", "sc:Integer", "how many of them have a label"),
        ],
        "data": rows,
    }


def _labels(facts: Facts) -> Json:
    return {
        "@type": "cr:RecordSet",
        "@id": LABELS,
        "name": LABELS,
        "description": f"The classes of the taxonomy {facts.taxonomy}, with the number that stands for each.",
        "dataType": "sc:Enumeration",
        "key": {"@id": f"{LABELS}/name" if facts.form != "parquet" else f"{LABELS}/index"},
        "field": [
            _field(LABELS, "index", "sc:Integer", "the class's number"),
            _field(LABELS, "name", "sc:Text", "the class's name"),
            _field(LABELS, "rows", "sc:Integer", "how many rows have it"),
        ],
        "data": [
            {f"{LABELS}/index": i, f"{LABELS}/name": c, f"{LABELS}/rows": sum(s.classes[c] for s in facts.splits)}
            for i, c in enumerate(facts.classes)
        ],
    }


def _field(of: str, name: str, kind: str | list[str], words: str, **more: Any) -> Json:
    text = words.replace("`", "")
    return {"@type": "cr:Field", "@id": f"{of}/{name}", "name": name, "description": text, "dataType": kind, **more}


def _column(name: str, **transform: Any) -> Json:
    source: Json = {"fileSet": {"@id": "files"}, "extract": {"column": name}}
    return {"source": {**source, "transform": transform} if transform else source}


def _rows(facts: Facts) -> Json:
    fields = []
    table = facts.form != "parquet"
    if facts.pixels and table:
        words = "the image file's path in this folder"
        fields.append(_field(ROWS, "file_name", "sc:Text", words, **_column("file_name")))
    elif facts.pixels:
        fields.append(_field(ROWS, IMAGE, "sc:ImageObject", meaning(IMAGE), **_column(IMAGE, jsonPath="bytes")))
    fields.append(_split_field(facts))
    where = {"references": {"field": {"@id": f"{LABELS}/{'name' if table else 'index'}"}}}
    kind = ["sc:Text" if table else "sc:Integer", "cr:Label"]
    fields.append(_field(ROWS, LABEL, kind, meaning(LABEL), **_column(LABEL), **where))
    fields += [_of_column(name, table) for name in facts.names]
    return {
        "@type": "cr:RecordSet",
        "@id": ROWS,
        "name": ROWS,
        "description": "A row for each face.",
        "key": {"@id": f"{ROWS}/sample_id"},
        "field": fields,
    }


def _split_field(facts: Facts) -> Json:
    words, refers = "the split of the row", {"references": {"field": {"@id": f"{SPLITS}/name"}}}
    if facts.form == "imagefolder":
        return _field(ROWS, "split", "sc:Text", words, **_column("split"), **refers)
    names = "|".join(split.name for split in facts.splits)
    source = {
        "fileSet": {"@id": "files"},
        "extract": {"fileProperty": "fullpath"},
        # Of the path, and of its own result: mlcroissant applies it again where it joins the splits.
        "transform": {"regex": rf"(?:data/)?({names})(?:[-.].*)?"},
    }
    return _field(ROWS, "split", "sc:Text", words, source=source, **refers)


def _of_column(name: str, table: bool) -> Json:
    kind, more = BY_NAME[name].type, {}
    if kind.startswith("list<") and not table:
        kind = kind[5:-1]
        more = {"isArray": True, "arrayShape": "-1"}
    return _field(ROWS, name, TYPES.get(kind, "sc:Text"), meaning(name), **_column(name), **more)
