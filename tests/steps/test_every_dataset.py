"""All datasets together: one ingest each, one merge, and every class of each mapped or explained."""

from pathlib import Path

from ferdata.adapters import load, names
from ferdata.labels import EMOTIONS, REASONS
from ferdata.manifest import Manifest
from ferdata.steps.ingest import ingest
from ferdata.steps.merge import merge
from ferdata.steps.stats import stats
from ferdata.steps.validate import validate
from tests.fakes import modules


def test_every_dataset_is_ingested_merged_and_accounted_for(tmp_path: Path) -> None:
    made = {}
    for name, module in modules().items():
        root = tmp_path / name
        root.mkdir()
        layout, write = next(iter(module.LAYOUTS.items()))
        expected = write(root)
        done = ingest(name, root=root, out=tmp_path / f"{name}.parquet")
        assert done.rows == expected.rows, (name, layout)
        made[name] = done
    assert set(made) == set(names())
    merged = merge(
        *(done.out for done in made.values()), out=tmp_path / "merged.parquet", most=1.0
    )  # the fakes share faces
    assert merged.rows == sum(done.rows for done in made.values())
    assert validate(merged.out) == merged.rows
    parts = {part.part: part for part in stats(merged.out, by="dataset").parts}
    for name, done in made.items():
        part = parts[name]
        assert part.rows == done.rows
        assert sum(part.counts.values()) + sum(part.unlabelled.values()) == part.rows
        assert set(part.unlabelled) <= {*REASONS, "not in taxonomy"}


def test_every_native_label_of_every_layout_means_an_emotion_or_a_reason() -> None:
    for name in names():
        for layout in load(name).SOURCE.layouts:
            assert set(layout.labels.values()) <= {*EMOTIONS, *REASONS}, (name, layout.name)


def test_metadata_of_a_merge_names_every_licence(tmp_path: Path) -> None:
    for name in ("jaffe", "rafdb"):
        (tmp_path / name).mkdir()
        next(iter(modules()[name].LAYOUTS.values()))(tmp_path / name)
        ingest(name, root=tmp_path / name, out=tmp_path / f"{name}.parquet")
    merged = merge(tmp_path / "jaffe.parquet", tmp_path / "rafdb.parquet", out=tmp_path / "m.parquet")
    for source in Manifest(merged.out).sources.values():
        assert source["licence"]
        assert source["citation"].startswith("@")
        assert source["redistribution"] is False
