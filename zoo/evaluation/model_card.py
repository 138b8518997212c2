"""`card.md`: a run in words, for the person who is handed the weights."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ferdata.charts.lettering import key
from ferdata.running.terminal import printable_lines
from zoo.augment.own_ranges import in_a_line
from zoo.evaluation import ceilings, metrics, subgroups
from zoo.evaluation.calibration import in_brackets
from zoo.run.model_file import Meta

_ADDRESS = re.compile(r"https?://[^\s()<>]+")

USE = (
    "Made for research on how faces are read, and for teaching. It says which class annotators would most likely "
    "choose for a face in one picture; not what a person feels, and not whether they mean it. It has no place in "
    "decisions about people: hiring, schooling, policing, insurance, diagnosis, proctoring. Inferring emotions at "
    "work or in education is forbidden in the EU (Regulation 2024/1689, article 5(1)(f)), medical and safety reasons "
    "aside."
)


def card(meta: Meta, report: dict[str, Any]) -> str:
    """Return the run in words, as Markdown: figures, protocol, what it is for, caveats, licences, citations."""
    parts = (_head(meta, report), _figures(report), _by_class(report), _parts(report), _protocol(meta, report))
    rest = (["## Intended use", "", USE, ""], _caveats(report), _first_weights(meta), _data(report))
    # Titles, classes and file names are other people's, and a card is shown as a page: they bring no tags of their own.
    text = "\n".join(line for part in (*parts, *rest) for line in part).replace("<", "&lt;")
    return printable_lines("\n".join([text, *_citations(report)]))


def _head(meta: Meta, report: dict[str, Any]) -> Iterator[str]:
    config = meta.config
    first = next((f"weights from {config[k]}" for k in ("init", "weights") if config.get(k)), None)
    first = first or ("pretrained weights" if config.get("pretrained") else "random weights")
    size = f", {report['parameters']:,} parameters" if "parameters" in report else ""
    yield f"# {meta.backbone} on {Path(meta.manifest).name}"
    yield ""
    yield (
        f"Facial expression from one face picture: {', '.join(meta.classes)}. Input {meta.size} x {meta.size}, "
        f"{meta.channels} channel(s){size}, trained from {first}."
    )
    yield ""
    for warning in (report["caution"], report.get("above_ceiling")):
        if warning:
            yield f"**{warning}**"
            yield ""


def _figures(report: dict[str, Any]) -> Iterator[str]:
    spread, bootstrap, calibration = report["confidence_intervals"], report["bootstrap"], report["calibration"]
    yield f"| {report['n']:,} {report['protocol']['split']} images | figure | 95 % interval |"
    yield "|---|---|---|"
    for name in metrics.HEADLINES:
        yield f"| {metrics.CALLED[name]} | {report[name]:.1%} | {_between(spread[name])} |"
    called = metrics.CALLED
    if report["top2_accuracy"] is not None:
        second = _between(spread["top2_accuracy"])
        yield f"| {called['top2_accuracy']} | {report['top2_accuracy']:.1%} | {second} |"
    if report["macro_auc"] is not None:
        yield f"| {called['macro_auc']} | {report['macro_auc']:.3f} | {_plainly(spread['macro_auc'])} |"
    yield f"| {called['majority_share']} | {report['baseline']['majority_share']:.1%} | |"
    for words, figure, ends in ceilings.lines(report):
        yield f"| {words} | {figure:.1%} | {_between(ends)} |"
    ece = calibration["intervals"]["ece"]
    yield f"| {called['ece']}{in_brackets(calibration)} | {report['ece']:.1%} | {_between(ece)} |"
    loss = _plainly(calibration["intervals"]["log_loss"])
    yield f"| {called['log_loss']} | {report['log_loss']:.3f} | {loss} |"
    if voters := report["voters"]:
        yield (
            f"| {called['total_variation']} ({voters['n']:,} images) | "
            f"{voters['total_variation']:.3f} | {_plainly(voters['intervals']['total_variation'])} |"
        )
    yield ""
    yield (
        f"Intervals: {bootstrap['draws']:,} bootstrap draws of {bootstrap['units']:,} {bootstrap['unit']}. ECE: "
        f"expected calibration error over {calibration['bins']} bins of equal width; T: temperature, fitted on val. "
        "AUC: area below the ROC curve of one class against the rest."
    )
    yield ""


def _by_class(report: dict[str, Any]) -> Iterator[str]:
    yield "| class | images | recall | 95 % interval | precision | F1 | AUC |"
    yield "|---|---|---|---|---|---|---|"
    for name, row in report["per_class"].items():
        recall, precision, f1 = ("-" if row[f] is None else f"{row[f]:.1%}" for f in ("recall", "precision", "f1"))
        few = " (few)" if row["n"] < subgroups.FEW_IMAGES else ""
        spread = _between(row["intervals"]["recall"])
        area = "-" if row["auc"] is None else f"{row['auc']:.3f}"
        yield f"| {name} | {row['n']:,}{few} | {recall} | {spread} | {precision} | {f1} | {area} |"
    yield ""
    if numbers := key(list(report["per_class"])):
        yield numbers
        yield ""


def _parts(report: dict[str, Any]) -> Iterator[str]:
    tables = {"dataset": report["by_dataset"], **report["by_person"]}
    for column, table in tables.items():
        if len(table) < 2:
            continue
        yield f"| {column} | images | accuracy | 95 % interval | macro-F1 | 95 % interval |"
        yield "|---|---|---|---|---|---|"
        for name, row in table.items():
            few = " (few)" if row["small"] else ""
            spread = [_between(row["intervals"][f]) for f in ("accuracy", "macro_f1")]
            yield (
                f"| {name} | {row['n']:,}{few} | {row['accuracy']:.1%} | {spread[0]} | "
                f"{row['macro_f1']:.1%} | {spread[1]} |"
            )
        yield ""


def in_epochs(n: float) -> str:
    """Return `1 epoch`, `2.7 epochs`."""
    return f"{round(n, 1):g} epoch{'' if n == 1 else 's'}"


def _protocol(meta: Meta, report: dict[str, Any]) -> Iterator[str]:
    protocol, config = report["protocol"], meta.config
    yield "## Protocol"
    yield ""
    if training := report.get("training"):
        yield (
            f"- Trained for {in_epochs(training['epochs'])} on {training['n_train']:,} images, "
            f"{config['targets']} targets, in {training['seconds']:.0f} s on {training['device']} "
            f"({training['precision']}), seed {config['seed']}."
        )
    if training and "augmentation" in training:
        yield f"- Augmentation: {in_a_line(training['augmentation'])}."
    yield f"- The checkpoint is of epoch {meta.chosen.get('epoch', 0)}: {protocol['selection']}."
    yield f"- Leak check: {_leak_words(protocol.get('leak_check') or {})}"
    fold = "" if protocol["fold"] is None else f", fold {protocol['fold']} as test"
    yield (
        f"- Manifest fingerprint `{meta.fingerprint}`; split column `{protocol['split_source']}`{fold}; "
        f"taxonomy {protocol['taxonomy']}; views averaged at test: {protocol['tta']}; scored in float32."
    )
    if made := protocol.get("split_by"):
        inputs = ", ".join(f"{source['name']} (`{source['fingerprint']}`)" for source in made["inputs"])
        given = ", ".join(f"{key} {value}" for key, value in made["options"].items() if value not in (None, False, ""))
        yield f"- Splits by `ferdata {made['step']}` of {inputs}: {given}."
    yield ""


def _leak_words(found: dict[str, Any]) -> str:
    if "test_in_train" not in found:
        return "not made."
    if not (found["val_in_train"] or found["test_in_train"]):
        return "no val or test image has a duplicate in train."
    return (
        f"**{found['test_in_train']:,} test and {found['val_in_train']:,} val images have duplicates in train** "
        "(--allow-leak): the figures above are too good."
    )


def _caveats(report: dict[str, Any]) -> Iterator[str]:
    yield "## Caveats"
    yield ""
    few = [name for name, row in report["per_class"].items() if 0 < row["n"] < subgroups.FEW_IMAGES]
    none = [name for name, row in report["per_class"].items() if not row["n"]]
    if few:
        yield f"- Fewer than {subgroups.FEW_IMAGES} test images: {', '.join(few)}. Their figures say little."
    if none:
        yield f"- No test image at all: {', '.join(none)}. Nothing is known of them."
    recall = {name: row["recall"] for name, row in report["per_class"].items() if row["recall"] is not None}
    if recall:
        lowest = min(recall.values())
        yield f"- Lowest recall: {', '.join(name for name in recall if recall[name] == lowest)} ({lowest:.0%})."
    if not report["by_person"]:
        yield "- Subgroup performance cannot be measured: the datasets publish no age, gender or ethnicity."
    yield from (f"- {note}" for note in report["protocol"].get("notes", ()))
    yield "- One run with one seed: another seed moves these figures too, which the intervals do not cover."
    yield "- Tested on pictures like those it was trained on; on other cameras, ages and cultures it will do worse."
    yield ""


def _first_weights(meta: Meta) -> Iterator[str]:
    if meta.origin is None:
        return
    yield "## Initial weights"
    yield ""
    yield f"It began with {meta.origin['weights']}: {meta.origin['terms']}. Those terms hold for this net too."
    yield ""


def _data(report: dict[str, Any]) -> Iterator[str]:
    yield "## Data, licences, citations"
    yield ""
    yield "The datasets' terms hold for weights trained on them too."
    yield ""
    yield "| dataset | licence | commercial use | redistribution |"
    yield "|---|---|---|---|"
    words = {True: "allowed", False: "not allowed", None: "not stated"}
    for name, source in report["sources"].items():
        title = source["title"] or name
        linked = f"[{title}]({source['homepage']})" if _ADDRESS.fullmatch(source["homepage"] or "") else title
        yield (
            f"| {linked} | {source['licence'] or 'not stated'} | {words[source['commercial']]} | "
            f"{words[source['redistribution']]} |"
        )
    yield ""


def _citations(report: dict[str, Any]) -> Iterator[str]:
    cited = [source["citation"].strip() for source in report["sources"].values() if source["citation"]]
    if cited:
        yield "```bibtex"
        yield "\n\n".join(cited).replace("```", "'''")  # which would end the block
        yield "```"
        yield ""


def _between(interval: list[float] | None) -> str:
    return "-" if interval is None else f"{interval[0]:.1%} to {interval[1]:.1%}"


def _plainly(interval: list[float] | None) -> str:
    return "-" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}"
