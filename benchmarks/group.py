"""Grouping against imagededup's PHash, on the same files in one run: time, memory, planted copies found.

    python benchmarks/group.py --manifest manifests/ferplus.parquet [--pictures 10000] [--thorough]
    python benchmarks/group.py --hashes 1000000
    python benchmarks/group.py --same manifests/ferplus.parquet manifests/fer2013.parquet rows.csv

Copies of every kind of `ferdata.duplicates.plant` are planted, each of another picture, so that no copy leads to
another. Both sides start from a folder of files: ours is `ingest` and `group`, theirs `encode_images` and
`find_duplicates`, each in a process of its own, two workers each. imagededup goes into a virtual environment of its
own, and borrows the PyTorch that it imports from this one.
"""

import argparse
import csv
import json
import site
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

import cv2
import numpy as np

OURS = """
import json, resource, sys, time
from pathlib import Path
from ferdata.manifest import Manifest
from ferdata.duplicates import find
from ferdata.duplicates.groups import GROUP_COLUMNS, find_groups
from ferdata.steps.ingest import ingest
folder, thorough = Path(sys.argv[1]), sys.argv[2] == "True"
begin = time.perf_counter()
made = ingest("folder", root=folder, out=folder.parent / "made.parquet", workers=2, force=True)
read = time.perf_counter()
opened = Manifest(folder.parent / "made.parquet")
table = opened.table(*GROUP_COLUMNS)
found = find_groups(table, pairs=find([opened], table, thorough=thorough), most=1)
done = time.perf_counter()
names = [Path(i).stem for i in table["sample_id"].to_pylist()]
rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"read": read - begin, "search": done - read, "mb": rss,
                  "group": dict(zip(names, found.group.tolist()))}))
"""
THEIRS = """
import json, resource, sys, time
from pathlib import Path
from imagededup.methods import PHash
if __name__ == "__main__":
    method = PHash(verbose=False)
    begin = time.perf_counter()
    hashes = method.encode_images(image_dir=sys.argv[1], recursive=True, num_enc_workers=2)
    read = time.perf_counter()
    pairs = method.find_duplicates(encoding_map=hashes, max_distance_threshold=10, num_dist_workers=2)
    done = time.perf_counter()
    used = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    names = {name: k for k, name in enumerate(hashes)}
    parent = list(range(len(names)))
    def find(a):
        while parent[a] != a:
            parent[a] = a = parent[parent[a]]
        return a
    for name, others in pairs.items():
        for other in others:
            parent[find(names[name])] = find(names[other])
    print(json.dumps({"read": read - begin, "search": done - read, "mb": max(used) / 1024,
                      "group": {Path(name).stem: find(k) for name, k in names.items()}}))
"""


def peer(place: Path) -> Path:
    """Install imagededup into a virtual environment at `place`; return its Python."""
    python = place / "bin" / "python"
    if not python.exists():
        venv.create(place, with_pip=True)
        command = [python, "-m", "pip", "install", "-q", "--no-deps", "imagededup", "PyWavelets", "tqdm"]
        subprocess.run(command, check=True)
        [own] = place.glob("lib/python*/site-packages")
        (own / "borrowed.pth").write_text(site.getsitepackages()[0] + "\n")
    return python


def plant(manifest: Path, folder: Path, pictures: int, copies: int) -> dict[str, list[tuple[str, str]]]:
    """Write pictures and planted copies as files; return, by kind, the names of picture and copy."""
    from ferdata.duplicates.compare import grey
    from ferdata.duplicates.plant import KINDS
    from ferdata.duplicates.trial import _pictures
    from ferdata.manifest import Manifest

    opened = Manifest(manifest)
    codes = opened.table("pixel_hash")["pixel_hash"].combine_chunks().dictionary_encode().indices.to_numpy()
    rng = np.random.default_rng(0)
    distinct = np.unique(codes, return_index=True)[1]
    rows = np.sort(rng.choice(distinct, min(pictures, len(distinct)), replace=False))
    kinds = np.full(len(rows), -1)
    chosen = rng.choice(len(rows), len(KINDS) * copies, replace=False)
    kinds[chosen] = np.arange(len(chosen)) % len(KINDS)
    planted: dict[str, list[tuple[str, str]]] = {kind: [] for kind in KINDS}
    (folder / "neutral").mkdir(parents=True)
    for row, kind, picture in zip(rows, kinds, _pictures(opened, rows), strict=True):
        cv2.imwrite(str(folder / "neutral" / f"{row}.png"), grey(picture))
        if kind >= 0:
            name = list(KINDS)[kind]
            copy = KINDS[name](picture, rng)
            cv2.imwrite(str(folder / "neutral" / f"{row}-copy.png"), copy)
            planted[name].append((str(row), f"{row}-copy"))
    return planted


def judge(found: dict[str, int], planted: dict[str, list[tuple[str, str]]]) -> tuple[dict[str, float], int]:
    """Return the recall by kind, and the size of the largest group."""
    recall = {kind: float(np.mean([found[a] == found[b] for a, b in pairs])) for kind, pairs in planted.items()}
    return recall, max(np.unique(list(found.values()), return_counts=True)[1].tolist())


def compare(manifest: Path, pictures: int, copies: int, thorough: bool, place: Path) -> None:
    """Run both on the same files and print a Markdown table."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "files"
        planted = plant(manifest, folder, pictures, copies)
        results, recalls = {}, {}
        sides = {"ferdata": (Path(sys.executable), OURS), "imagededup": (peer(place), THEIRS)}
        for name, (python, code) in sides.items():
            script = Path(temporary) / f"side_{name}.py"
            script.write_text(code)
            ran = subprocess.run([python, script, folder, str(thorough)], capture_output=True, text=True, check=False)
            if ran.returncode:
                sys.exit(ran.stderr)
            results[name] = json.loads(ran.stdout.splitlines()[-1])
            recalls[name] = judge(results[name].pop("group"), planted)
        files = len(list((folder / "neutral").iterdir()))
    print(
        f"{files:,} files{', thorough' if thorough else ''}\n\n| | {' | '.join(results)} | ratio |\n|---|---|---|---|"
    )
    for what, key in (("read and hash, s", "read"), ("search, s", "search"), ("memory, MB", "mb")):
        ours, theirs = (r[key] for r in results.values())
        print(f"| {what} | {ours:.1f} | {theirs:.1f} | {theirs / ours:.1f} |")
    seconds = [r["read"] + r["search"] for r in results.values()]
    print(f"| whole, s | {seconds[0]:.1f} | {seconds[1]:.1f} | {seconds[1] / seconds[0]:.1f} |")
    print(f"| largest group, files | {' | '.join(f'{r[1]:,}' for r in recalls.values())} | |")
    whole = [100 * np.mean(list(r[0].values())) for r in recalls.values()]
    print(f"| recall, all kinds, % | {' | '.join(f'{r:.1f}' for r in whole)} | |")
    for kind in planted:
        print(f"| {kind} | {' | '.join(f'{100 * r[0][kind]:.0f}' for r in recalls.values())} | |")


def agreement(ferplus: Path, kaggle: Path, rows: Path, thorough: bool) -> None:
    """Join FER+ with FER2013 as Kaggle's JPG folder, and judge by the row of fer2013.csv in the file names."""
    import pyarrow as pa

    from ferdata.duplicates import find
    from ferdata.duplicates.compare import SAME, _bands, _straight
    from ferdata.duplicates.find import _read
    from ferdata.duplicates.groups import GROUP_COLUMNS, find_groups
    from ferdata.duplicates.search import pairs_within
    from ferdata.manifest import Manifest

    opened = [Manifest(ferplus), Manifest(kaggle)]
    table = pa.concat_tables([m.table(*GROUP_COLUMNS) for m in opened])
    with rows.open(newline="") as file:
        row_of = {r["image_name"]: int(r["row"]) for r in csv.DictReader(file)}
    names = [Path(i.split(":", 1)[1]).name for i in table["sample_id"].to_pylist()]
    row = np.array([row_of[n] if n in row_of else int(Path(n).stem.rsplit("_", 1)[1]) for n in names])
    n = opened[0].rows
    alone = find_groups(table.slice(0, n))
    print(f"FER+ alone: {alone.identical} identical groups, {alone.images} images, {alone.across}")
    begin = time.perf_counter()
    pairs = find(opened, table, thorough=thorough)
    found = find_groups(table, pairs=pairs)
    print(
        f"joined in {time.perf_counter() - begin:.1f} s: {len(pairs):,} pairs, the largest group {found.largest} rows"
    )
    other = {r: k for k, r in enumerate(row[n:], n)}
    both = [(k, other[row[k]]) for k in range(n) if row[k] in other]
    print(f"in one group with their copy: {np.mean([found.group[a] == found.group[b] for a, b in both]):.4%}")
    # Rows with the pixels of one another are the same picture under two rows.
    twin = dict(zip(row[:n].tolist(), find_groups(table.slice(0, n), by=("pixels",)).group.tolist(), strict=True))
    same = np.array([twin.get(r, -r - 1) for r in row.tolist()])
    cross = pairs[(pairs[:, 0] < n) & (pairs[:, 1] >= n)]
    different = int((same[cross[:, 0]] != same[cross[:, 1]]).sum())
    print(f"pairs across: {len(cross):,}; of them {different:,} ({different / len(cross):.2%}) join different rows")
    # Of all that was confirmed, the most similar one: is it the picture itself, or FER2013's other crop of it?
    small, _ = _read(opened, np.arange(table.num_rows), np.zeros(table.num_rows, bool), False)
    hashes = table["phash"].combine_chunks().to_numpy()
    near = np.concatenate(list(pairs_within(hashes[n:], 10, against=hashes[:n]))) + np.array([n, 0])
    score = np.concatenate(
        [
            _straight(_bands(small, a), _bands(small, b))
            for a, b in (near[k : k + 4096].T for k in range(0, len(near), 4096))
        ]
    )
    order = np.lexsort((-score, near[:, 0]))
    _, first = np.unique(near[order, 0], return_index=True)
    best = order[first][score[order[first]] >= SAME]
    wrong = int((same[near[best, 0]] != same[near[best, 1]]).sum())
    print(f"most similar picture of FER+: {len(best):,} matched, {wrong} wrong ({wrong / len(best):.3%})")


def hashes(n: int) -> None:
    """Time the search for all pairs within 10 bits among `n` random hashes."""
    import resource

    from ferdata.duplicates.search import pairs_within

    made = np.random.default_rng(0).integers(0, 1 << 64, n, dtype=np.uint64)
    for threads in (1, 2):
        begin = time.perf_counter()
        found = sum(map(len, pairs_within(made, 10, workers=threads)))
        seconds = time.perf_counter() - begin
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{n:,} random hashes, {threads} threads: {seconds:.1f} s, {found:,} pairs within 10 bits, {used:.0f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manifest", type=Path)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--copies", type=int, default=100, help="of each kind")
    parser.add_argument("--thorough", action="store_true")
    parser.add_argument("--hashes", type=int)
    parser.add_argument("--same", type=Path, nargs=3, metavar=("FERPLUS", "KAGGLE", "ROWS_CSV"))
    parser.add_argument("--peer", type=Path, default=Path(tempfile.gettempdir()) / "ferdata-imagededup")
    given = parser.parse_args()
    if given.hashes:
        hashes(given.hashes)
    if given.same:
        agreement(*given.same, given.thorough)
    if given.manifest:
        compare(given.manifest, given.pictures, given.copies, given.thorough, given.peer)
