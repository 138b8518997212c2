"""How the dataset looks in the App: saved views, one colour per emotion, the sidebar, what Annotate offers."""

from collections.abc import Mapping, Sequence
from typing import Any

from ferdata.labels import COLOURS
from ferdata.reviewing.fiftyone import findings as words
from ferdata.reviewing.fiftyone.fields import DECIDED, KNOWN, PREDICTION, SUGGESTION, TRUTH
from ferdata.reviewing.ledger import CANNOT_TELL, NOT_A_FACE, WORDS

MORE_COLOURS = {WORDS[CANNOT_TELL]: "#b0b0b0", WORDS[NOT_A_FACE]: "#5a5a5a"}
CHOICE_COLOURS = {**COLOURS, **MORE_COLOURS}  # of everything that a reviewer may decide for
DECIDED_COLOUR = "#00c853"  # keys.js gives the tiles the same: the App colours text by its value
ON_TILES = (TRUTH, "decision", "why", "image_issues", "label_reason")  # what the grid shows, in this order
# finding -> (name of its view, what it shows)
VIEWS: Mapping[str, tuple[str, str]] = {
    words.SUSPECT: ("Suspect labels", "labels that the audit doubts, the most doubtful first"),
    words.DISAGREES: ("Prediction disagrees", "the model predicts another label, the most confident first"),
    words.CONFLICT: ("Conflicts", "one image under several labels"),
    words.LEAK: ("Leaks", "an image, person or clip in more than one split"),
    words.LOW_QUALITY: ("Low quality", "dark, bright, blank, or with another issue of the image; the worst first"),
    words.TORN: ("Low-agreement votes", "no label has more than half of the votes, or their entropy is high"),
    words.VOTES: ("Suspect votes", "a model expects other votes, even where it agrees with the label"),
    words.COPY: ("Duplicates", "images that occur in several rows, next to each other"),
}
ORDER: Mapping[str, tuple[str, bool]] = {
    words.SUSPECT: ("label_quality", False),
    words.DISAGREES: ("prediction.confidence", True),
    words.TORN: ("vote_share", False),
    words.VOTES: ("label_quality", False),
    words.LOW_QUALITY: ("image_quality", False),
    words.CONFLICT: ("picture", False),
    words.COPY: ("picture", False),
    words.LEAK: ("group", False),
}
OPEN = {f: f"{VIEWS[f][0]}, not decided" for f in (words.SUSPECT, words.DISAGREES)}  # finding -> its view of those left
NOT_REVIEWED, REVIEWED = "Not reviewed yet", "Reviewed"
FORMER = ("Torn votes", "Copies")  # what views were called once: they go when a manifest is opened again
GROUPS: Mapping[str, tuple[str, ...]] = {
    "review": (TRUTH, *DECIDED, SUGGESTION, "why", "findings", "issues", "image_issues",
               "label_quality", "image_quality"),
    "labels": (PREDICTION, "target", "label", "label_reason", "native_label", "compound_label", "votes", "vote_share",
               "vote_entropy", "valence", "arousal"),
    "set": ("dataset", "split", "official_split", "split_reason", "fold", "group", "picture", "subject", "sequence",
            "frame", "age", "gender", "ethnicity", "synthetic"),
    "picture": ("brightness", "contrast", "sharpness", "face"),
    "ids": ("sample_id", "pixel_hash", KNOWN, "face_key"),
}  # fmt: skip


def views(dataset: Any, present: Sequence[str], classes: Sequence[str], datasets: Sequence[str]) -> list[str]:
    """Save the views of what has content, in place of those of an earlier push; return their names.

    A view that the user has saved under another name stays.
    """
    from fiftyone import ViewField as F

    schema = dataset.get_field_schema()
    untouched = (F("decision") == None) & (F(f"{TRUTH}.label") == F(KNOWN))  # noqa: E711  # Mongo's null
    wanted: dict[str, tuple[Any, str]] = {}
    for finding, (name, meaning) in VIEWS.items():
        if finding in present:
            view = dataset.match(F("findings").contains(finding))
            field, reverse = ORDER.get(finding, ("", False))
            if field.partition(".")[0] in schema:
                view = view.sort_by(field, reverse=reverse)
            if finding in OPEN:
                wanted[OPEN[finding]] = (view.match(untouched), f"{meaning}; without those already decided")
            wanted[name] = (view, meaning)
    wanted[NOT_REVIEWED] = (dataset.match(untouched), "no decision yet")
    wanted[REVIEWED] = (dataset.match(~untouched), "decided on, now or earlier")
    for label in classes:
        wanted[f"Class: {label}"] = (dataset.match(F(f"{TRUTH}.label") == label), f"now labelled {label}")
    if len(datasets) > 1:
        for name in datasets:
            wanted[f"Dataset: {name}"] = (dataset.match(F("dataset") == name), f"rows of {name}")
    ours = {name for name, _ in VIEWS.values()} | {*OPEN.values(), NOT_REVIEWED, REVIEWED, *FORMER}
    for name in dataset.list_saved_views():
        if name in ours or name.startswith(("Class: ", "Dataset: ")):
            dataset.delete_saved_view(name)
    for name, (view, meaning) in wanted.items():
        dataset.save_view(name, view, description=meaning)
    return list(wanted)


def dress(fo: Any, dataset: Any, classes: Sequence[str]) -> None:
    """Set colours, sidebar and the choices of the Annotate tab."""
    # Both fields show words; an emotion has one colour wherever it stands.
    colours = [{"value": word, "color": colour} for word, colour in CHOICE_COLOURS.items()]
    schema = dataset.get_field_schema()
    fields = [
        {"path": path, "colorByAttribute": "label", "valueColors": colours}
        for path in (TRUTH, PREDICTION) if path in schema
    ]  # fmt: skip
    fields += [
        {"path": path, "colorByAttribute": "value", "valueColors": colours}
        for path in ("target", "label", KNOWN) if path in schema
    ]  # fmt: skip
    fields.append({"path": "decision", "fieldColor": DECIDED_COLOUR})
    dataset.app_config.color_scheme = fo.ColorScheme(color_pool=list(COLOURS.values()), color_by="value", fields=fields)
    dataset.app_config.sidebar_groups = _sidebar(fo, schema)
    on_tiles = [path for path in ON_TILES if path in schema]
    dataset.app_config.active_fields = (
        fo.ActiveFields(paths=on_tiles, exclude=False) if hasattr(fo, "ActiveFields") else None
    )
    dataset.classes = {TRUTH: list(classes)}
    dataset.save()
    dataset.set_label_schemas(
        {
            TRUTH: {
                "type": "classification",
                "component": "radio",
                "classes": list(classes),
                "attributes": [],
            }
        }
    )
    dataset.active_label_schemas = [TRUTH]


def _sidebar(fo: Any, schema: Mapping[str, Any]) -> list[Any]:
    grouped = [
        fo.SidebarGroupDocument(
            name=name, paths=[p for p in paths if p in schema], expanded=name in ("review", "labels")
        )
        for name, paths in GROUPS.items()
    ]
    known = {path for paths in GROUPS.values() for path in paths}
    rest = [p for p in schema if p not in known and not p.startswith("_")]
    return [*grouped, fo.SidebarGroupDocument(name="other", paths=rest, expanded=False)]
