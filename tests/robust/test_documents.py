"""What travels, mutated: manifests, ledgers, shared files, runs and pictures, into the commands that read them."""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ferdata.cli import run as command_line
from tests.robust import invariants, mutate_json, mutate_text, pictures
from tests.robust.child import DONE, GIGABYTE, Ended, in_child
from tests.robust.extent import cases, chance, record, report
from tests.robust.made import TINY, Made
from tests.robust.snapshot import remove, snapshot

pytestmark = pytest.mark.slow
ENDS = (0, 1, 2, 3)  # done, an error of ours, usage, findings
LOGS = ("out", "out.log", "out.answer.json")


def judged(
    work: Callable[[], Any], case: Path, problems: list[str], without: tuple[str, ...] = (), kept: tuple[str, ...] = ()
) -> Ended:
    """Run `work` in a case's folder `out`, and add what no call may do, whatever it is given."""
    (case / "out").mkdir(exist_ok=True)
    inputs = snapshot(case, (*LOGS, *without))
    ended = in_child(
        work, case / "out", seconds=90, memory=16 * GIGABYTE, environment={"FERDATA_CACHE": str(case.parent / "cache")}
    )
    log = (case / "out.log").read_text("utf-8", "replace")
    problems += invariants.only_our_errors(ended)
    problems += invariants.inputs_unchanged(inputs, snapshot(case, (*LOGS, *without)))
    if ended.how == DONE and ended.value not in ENDS:
        problems.append(f"exit {ended.value}")
    if ended.value == 1 and not kept and "Error: " not in log:
        problems.append(f"an error without a word: {log[-200:]!r}")
    if ended.value == 1 and (left := [path.name for path in (case / "out").iterdir() if path.name not in kept]):
        problems.append(f"after an error there is {left}")
    return ended


def of_cases(group: str, place: Path, numbers: range, one: Callable[[Random, Path, list[str]], str]) -> None:
    """Run each case in a folder of its own, and fail with all that went wrong."""
    tally: Counter[str] = Counter()
    wrong: list[str] = []
    for number in numbers:
        case = place / "case"
        case.mkdir()
        problems: list[str] = []
        what = one(chance(group, number), case, problems)
        wrong += [f"{number} {what}: {problem}" for problem in problems]
        tally.update({"tried": 1, "wrong": bool(problems)})
        remove(case)
    record(group, tally)
    assert not wrong, report(wrong, len(numbers))


MANIFEST = {
    "show": ["show", "M"],
    "validate": ["validate", "M", "--images"],
    "stats": ["stats", "M", "--conflicts", "--plot", "p.png"],
    "merge": ["merge", "M", "-o", "o.parquet"],
    "split": ["split", "M", "--folds", "5", "-o", "o.parquet"],
    "group": ["group", "M", "-o", "o.parquet"],
    "share": ["share", "M", "-o", "r.json"],
    "audit": ["audit", "M", "-o", "o.parquet"],
    "align": ["align", "M", "--detector", "haar", "-o", "o.parquet"],
    "review export": ["review", "export", "M", "-o", "r.csv"],
    "pack": ["pack", "M", "--size", "32"],
    "train --dry-run": ["train", "--manifest", "M", "-o", "run", "--dry-run"],
}


@pytest.mark.parametrize("mutation", ["mutate_bytes", "mutate_metadata", "mutate_column"])
def test_a_mutated_manifest_is_read_or_refused_by_every_command(mutation: str, open_place: Path, made: Made) -> None:
    def one(luck: Random, case: Path, problems: list[str]) -> str:
        path = Path(shutil.copy(made.merged, case / "m.parquet"))
        what = getattr(mutate_json, mutation)(path, luck)
        name = luck.choice(sorted(MANIFEST))
        more = [f"--{key}={TINY[key]}" for key in ("backbone", "size", "device")] if name.startswith("train") else []
        judged(
            lambda: command_line([str(path) if word == "M" else word for word in MANIFEST[name]] + more), case, problems
        )
        return f"{what} {name}"

    of_cases(f"manifest {mutation}", open_place, cases(short=6, whole=150), one)


def test_a_mutated_ledger_is_applied_or_refused(open_place: Path, made: Made) -> None:
    def one(luck: Random, case: Path, problems: list[str]) -> str:
        path = Path(shutil.copy(made.merged, case / "m.parquet"))
        ledger = Path(shutil.copy(made.ledger, case / "decisions.jsonl"))
        what = mutate_json.mutate_lines(ledger, luck)
        words = ["review", "apply", str(path), "--resolve", luck.choice(("latest", "majority")), "-o", "o.parquet"]
        judged(lambda: command_line(words), case, problems, (".decisions.jsonl.lock",))
        return what

    of_cases("ledger", open_place, cases(short=8, whole=250), one)


def test_a_mutated_shared_file_is_rehydrated_or_refused(open_place: Path, made: Made) -> None:
    def one(luck: Random, case: Path, problems: list[str]) -> str:
        path = Path(shutil.copy(made.shared, case / "s.json"))
        what = mutate_json.mutate_document(path, luck)
        words = ["rehydrate", str(path), "--root", f"ferplus={made.faces}", "-o", "o.parquet"]
        judged(lambda: command_line(words), case, problems)
        return what

    of_cases("shared file", open_place, cases(short=6, whole=200), one)


def test_a_mutated_label_map_is_read_or_refused(open_place: Path, made: Made) -> None:
    def one(luck: Random, case: Path, problems: list[str]) -> str:
        (case / "tree" / "Froh").mkdir(parents=True)
        shutil.copy(next(made.faces.rglob("*.png")), case / "tree" / "Froh")
        path = case / "labels.toml"
        what, data = mutate_text.mutated(b'[labels]\n"Froh" = "happiness"\n"Angst" = "fear"\n', luck)
        path.write_bytes(data)
        words = [
            "ingest",
            "folder",
            "--root",
            str(case / "tree"),
            "--labels",
            str(path),
            "-o",
            "o.parquet",
            "--workers",
            "1",
        ]
        judged(lambda: command_line(words), case, problems)
        return what

    of_cases("label map", open_place, cases(short=6, whole=150), one)


def _mutate_run(run: Path, luck: Random) -> tuple[str, list[str]]:
    """Change one file of a run; return what was done and which command reads it."""
    name = luck.choice(("model.safetensors", "model.safetensors", "config.toml", "predictions.parquet"))
    path = run / name
    if name == "config.toml":
        what, data = mutate_text.mutated(path.read_bytes(), luck)
        path.write_bytes(data)
        return f"{name} {what}", ["train", "--recipe", str(path), "-o", "run", "--dry-run"]
    if name == "predictions.parquet" or luck.random() < 0.5:
        what = mutate_json.mutate_bytes(path, luck)
    else:
        what = _mutate_head(path, luck)
    return f"{name} {what}", ["compare"] if name == "predictions.parquet" else [luck.choice(("evaluate", "predict"))]


def _mutate_head(path: Path, luck: Random) -> str:
    """Change one place of the metadata of a file of weights."""
    import json

    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    head = json.loads(data[8 : 8 + length])
    meta = json.loads(head["__metadata__"]["ferdata"])
    what = mutate_json.changed(meta, luck)
    head["__metadata__"]["ferdata"] = json.dumps(meta)
    text = json.dumps(head).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])
    return what


def test_a_mutated_run_is_used_or_refused(open_place: Path, trained: Made) -> None:
    faces = sorted(map(str, trained.faces.rglob("*.png")))[:4]

    def one(luck: Random, case: Path, problems: list[str]) -> str:
        run = case / "run"
        shutil.copytree(trained.run, run)
        what, words = _mutate_run(run, luck)
        if words[0] == "train":
            words += ["--manifest", str(trained.merged), "--device", "cpu"]
        elif words[0] == "evaluate":
            words += [str(run), "--manifest", str(trained.merged), "--device", "cpu", "--save-predictions", "p.parquet"]
        elif words[0] == "predict":
            words += [str(run), *faces, "--detect", "none"]
        else:
            words += [str(run), str(trained.run)]
        judged(lambda: command_line(words), case, problems, ("run",))
        return f"{what} {words[0]}"

    of_cases("run", open_place, cases(short=4, whole=150), one)


def test_odd_pictures_are_predicted_or_named(open_place: Path, trained: Made) -> None:
    sources = sorted(trained.faces.rglob("*.png"))

    def one(luck: Random, case: Path, problems: list[str]) -> str:
        folder = case / "pictures"
        folder.mkdir()
        for number in range(8):
            path = folder / luck.choice((f"{number}.png", f"{number} ü.jpg", f"={number}.png"))
            data = luck.choice(sources).read_bytes()
            kinds: list[Callable[[], object]] = [
                lambda path=path, data=data: path.write_bytes(mutate_text.flipped(data, luck)),  # type: ignore[misc]
                lambda path=path, data=data: path.write_bytes(mutate_text.cut(data, luck)),  # type: ignore[misc]
                lambda path=path: path.write_bytes(pictures.odd(luck)[1]),  # type: ignore[misc]
                lambda path=path: path.symlink_to(luck.choice((path.name, "/dev/zero", "/nowhere"))),  # type: ignore[misc]
            ]
            luck.choice(kinds)()
        words = ["predict", str(trained.run), str(folder), "--detect", luck.choice(("none", "haar")), "-o", "p.csv"]
        ended = judged(lambda: command_line(words), case, problems, kept=("p.csv",))  # 1: some could not be read
        if ended.how == DONE and ended.value in (0, 1):
            told = (case / "out" / "p.csv").read_text()
            problems += [
                f"{path.name} is not told of" for path in folder.iterdir() if path.name.lstrip("=") not in told
            ]
        return "8 pictures"

    of_cases("predict", open_place, cases(short=2, whole=40), one)
