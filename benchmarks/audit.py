"""Suspect labels: planted errors against FiftyOne and cleanlab on the same predictions; FER2013 against FER+'s voters.

    python benchmarks/audit.py --ferplus manifests/ferplus.parquet [--fer2013 manifests/fer2013.parquet]
                               [--folds 5] [--epochs 8] [--share 0.05] [--seed 0] [--kept FOLDER] [--set KEY=VALUE]

Planted: FER+'s majority labels, a twentieth of them flipped to any other class, votes taken out; nets are trained out
of fold (`zoo.experiments.out_of_fold`), and all rank the same rows by the same predictions. FiftyOne's mistakenness is
computed by its own functions (fiftyone.brain), from the confidence and from the logits; cleanlab by its four scores.
FER2013: its own labels are audited without a word of FER+, then the 500 most suspect are looked up by `pixel_hash`
among FER+'s majorities. `--kept` keeps predictions between runs. Prints a table, and the same as Markdown.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from ferdata import manifest as manifests
from ferdata.labels import EMOTIONS, derive, taxonomy
from ferdata.manifest import Manifest
from ferdata.manifest.rewrite import rewritten_sources
from ferdata.schema import BY_NAME
from ferdata.steps.audit import audit
from zoo.evaluation import predictions
from zoo.experiments.out_of_fold import out_of_fold

SUSPECTS = 500


def put(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, column)


def planted(ferplus: Path, out: Path, share: float, seed: int) -> dict[str, bool]:
    """Write FER+ with flipped majority labels and no votes; return which rows were flipped."""
    opened = Manifest(ferplus)
    table = opened.table(*BY_NAME)
    table = table.filter(table["label"].is_valid())
    rng = np.random.default_rng(seed)
    given = np.array([EMOTIONS.index(e) for e in table["label"].to_pylist()])
    chosen = rng.choice(len(given), round(share * len(given)), replace=False)
    given[chosen] = (given[chosen] + rng.integers(1, len(EMOTIONS), len(chosen))) % len(EMOTIONS)
    table = put(table, "native_label", pa.array([EMOTIONS[i] for i in given]))
    table = put(table, "votes", pa.nulls(len(table), table.schema.field("votes").type))
    own = {e: e for e in EMOTIONS}
    sources = {n: s | {"labels": own} for n, s in rewritten_sources([opened], out).items()}
    classes = taxonomy("basic8")
    for name, column in derive(table, {n: own for n in sources}, "majority", classes).items():
        table = put(table, name, column)
    metadata = {"sources": sources, "vote_policy": "majority", "taxonomy": classes.as_dict(), "lineage": []}
    manifests.write(out, table.to_batches(), metadata, force=True)
    flipped = np.zeros(len(given), bool)
    flipped[chosen] = True
    return dict(zip(table["sample_id"].to_pylist(), flipped.tolist(), strict=True))


def fitted(manifest: Path, to: Path, asked: argparse.Namespace) -> Path:
    if not to.exists():
        begin = time.perf_counter()
        out_of_fold(
            manifest, folds=asked.folds, epochs=asked.epochs, seed=asked.seed, options=asked.options, save=to, say=print
        )
        print(f"{to.name}: {time.perf_counter() - begin:.0f} s\n")
    return to


def rankings(p: np.ndarray, given: np.ndarray, quality: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each way of ranking; the higher, the more suspect."""
    from cleanlab.rank import get_label_quality_scores
    from fiftyone.brain.internal.core import mistakenness

    yield "ferdata audit (label_quality)", -quality
    for method in ("self_confidence", "normalized_margin", "confidence_weighted_entropy"):
        yield f"cleanlab, {method}", -get_label_quality_scores(given, p, method=method)
    yield (
        "cleanlab, self_confidence, adjusted",
        -get_label_quality_scores(given, p, method="self_confidence", adjust_pred_probs=True),
    )
    same = (p.argmax(axis=1) == given).astype(float)  # FiftyOne's m: 1 where label and prediction agree
    by_confidence = mistakenness._compute_mistakenness_class_conf
    yield (
        "FiftyOne mistakenness, confidence",
        np.array([by_confidence(c, m) for c, m in zip(p.max(axis=1), same, strict=True)]),
    )
    by_logits = mistakenness._compute_mistakenness_class
    logits = np.log(np.maximum(p, 1e-12))
    yield "FiftyOne mistakenness, logits", np.array([by_logits(x, m) for x, m in zip(logits, same, strict=True)])


def figures(flipped: np.ndarray, suspect: np.ndarray, share: float) -> tuple[float, float]:
    """Return average precision, and the share of flipped rows among the `share` most suspect."""
    from sklearn.metrics import average_precision_score

    first = np.argsort(-suspect, kind="stable")[: round(share * len(suspect))]
    return float(average_precision_score(flipped, suspect)), float(flipped[first].sum() / flipped.sum())


def plant(asked: argparse.Namespace, folder: Path) -> None:
    manifest = folder / "planted.parquet"
    known = planted(asked.ferplus, manifest, asked.share, asked.seed)
    said = fitted(manifest, folder / "planted-predictions.parquet", asked)
    begin = time.perf_counter()
    audit(manifest, out=folder / "planted-audited.parquet", predictions=said, pixels=False, thumbnails=0, force=True)
    seconds = time.perf_counter() - begin
    found = predictions.read(said)
    assert found.classes == EMOTIONS
    written = Manifest(folder / "planted-audited.parquet").table("sample_id", "label_quality").to_pylist()
    by_id = {row["sample_id"]: row["label_quality"] for row in written}
    quality = np.array([by_id[i] for i in found.sample_id])
    flipped = np.array([known[i] for i in found.sample_id])
    right = (found.probabilities.argmax(axis=1) == found.true).mean()
    print(
        f"\nPlanted errors: {flipped.sum():,} of {len(flipped):,} FER+ labels flipped (seed {asked.seed}); "
        f"{asked.folds} folds of {asked.epochs} epochs, {right:.1%} as labelled; the audit took {seconds:.1f} s\n"
    )
    print(f"| ranked by | average precision | recall at {asked.share:.0%} |\n|---|---|---|")
    for name, suspect in rankings(found.probabilities.astype(np.float64), found.true, quality):
        precision, recall = figures(flipped, suspect, asked.share)
        print(f"| {name} | {precision:.4f} | {recall:.4f} |")
    named = quality < 0.5
    print(f"\nBelow the usual threshold: {named.sum():,} rows, {flipped[named].mean():.1%} of them flipped.")


def fer2013(asked: argparse.Namespace, folder: Path) -> None:
    said = fitted(asked.fer2013, folder / "fer2013-predictions.parquet", asked)
    audit(
        asked.fer2013, out=folder / "fer2013-audited.parquet", predictions=said, pixels=False, thumbnails=0, force=True
    )
    table = Manifest(folder / "fer2013-audited.parquet").table("pixel_hash", "target", "label_quality", "issues")
    votes = Manifest(asked.ferplus).table("pixel_hash", "label", "label_reason")
    majority: dict[str, set[str]] = {}
    for pixels, label in zip(votes["pixel_hash"].to_pylist(), votes["label"].to_pylist(), strict=True):
        if label is not None:
            majority.setdefault(pixels, set()).add(label)
    hashes, labels = table["pixel_hash"].to_pylist(), table["target"].to_pylist()
    known = np.array([h in majority for h in hashes])
    against = np.array([h in majority and one not in majority[h] for h, one in zip(hashes, labels, strict=True)])
    quality = np.nan_to_num(table["label_quality"].to_numpy(), nan=1.0)
    first = np.argsort(quality, kind="stable")[:SUSPECTS]
    print(f"\nFER2013's own labels: the {SUSPECTS} most suspect of {len(labels):,}, FER+ never shown to the audit\n")
    print("| rows | with a FER+ majority | contradicted | share of those with one | of all |\n|---|---|---|---|---|")
    for name, rows in (("all", np.arange(len(labels))), (f"{SUSPECTS} most suspect", first)):
        n, k = int(known[rows].sum()), int(against[rows].sum())
        print(f"| {name} | {n:,} | {k:,} | {k / max(n, 1):.1%} | {k / len(rows):.1%} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ferplus", type=Path, required=True)
    parser.add_argument("--fer2013", type=Path)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kept", type=Path)
    parser.add_argument("--set", dest="options", action="append", default=[], metavar="KEY=VALUE")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ferdata-") as temporary:
        folder = asked.kept or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        plant(asked, folder)
        if asked.fer2013:
            fer2013(asked, folder)


if __name__ == "__main__":
    main()
