"""Merge: every row of every input, one taxonomy, no leak; and what the real FER+ and CK+ give."""

import signal
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ferdata import images
from ferdata.duplicates.groups import BY
from ferdata.errors import AlreadyExists, BadOption, NotAManifest
from ferdata.manifest import Manifest
from ferdata.schema import SPLITS, root_variable
from ferdata.steps.group import group
from ferdata.steps.merge import merge
from ferdata.steps.split import split
from ferdata.steps.validate import validate
from tests.conftest import MakeManifest, picture


def test_every_row_of_every_input_is_in_the_output(make_manifest: MakeManifest, tmp_path: Path) -> None:
    a = make_manifest({"native_label": "fear"}, {"native_label": None}, name="a")
    b = make_manifest({"native_label": "anger", "dataset": "b", "seed": 9}, name="b")
    merged = merge(a, b, out=tmp_path / "m.parquet")
    opened = Manifest(merged.out)
    assert opened.table("sample_id")["sample_id"].to_pylist() == ["made:0000", "made:0001", "b:0000"]
    assert set(opened.sources) == {"made", "b"}
    assert validate(merged.out, images=True) == 3


def test_a_copy_of_a_test_picture_leaves_train_and_is_counted(make_manifest: MakeManifest, tmp_path: Path) -> None:
    a = make_manifest(
        {"native_label": "fear", "official_split": "train", "seed": 1},
        {"native_label": "fear", "official_split": "test", "seed": 1},
        {"native_label": "fear", "official_split": "train", "seed": 2},
        {"native_label": "fear", "official_split": "val", "seed": 3},
    )
    merged = merge(a, out=tmp_path / "m.parquet")
    assert Manifest(merged.out).table("split")["split"].to_pylist() == [None, "test", "train", "val"]
    assert merged.parts["made"].left_out == {"group_in_test": 1}
    assert (merged.identical, merged.images, merged.across) == (1, 2, {"train-test": 1})


def test_the_taxonomy_and_the_policy_are_applied_to_all(make_manifest: MakeManifest, tmp_path: Path) -> None:
    a = make_manifest({"native_label": "contempt"}, {"votes": [5, 5, 0, 0, 0, 0, 0, 0, 0, 0]})
    merged = merge(a, out=tmp_path / "m.parquet", taxonomy="basic7", votes="crossentropy")
    rows = Manifest(merged.out).table("label", "target").to_pylist()
    assert rows == [{"label": "contempt", "target": None}, {"label": "neutral", "target": "neutral"}]


def test_the_same_inputs_and_options_give_the_same_fingerprint(make_manifest: MakeManifest, tmp_path: Path) -> None:
    a = make_manifest(*[{"native_label": "fear"}] * 20)
    prints = [merge(a, out=tmp_path / f"{i}.parquet", seed=seed).fingerprint for i, seed in enumerate((0, 0, 5))]
    assert prints[0] == prints[1] != prints[2]


def test_inputs_are_not_changed_and_never_the_output(make_manifest: MakeManifest, tmp_path: Path) -> None:
    a = make_manifest({"native_label": "fear"})
    before = a.read_bytes()
    with pytest.raises(AlreadyExists, match="is an input"):
        merge(a, out=a, force=True)
    merge(a, out=tmp_path / "m.parquet")
    assert a.read_bytes() == before


def test_the_same_dataset_twice_is_refused(make_manifest: MakeManifest, tmp_path: Path) -> None:
    a = make_manifest({"native_label": "fear"}, name="a")
    b = make_manifest({"native_label": "fear"}, name="b")
    with pytest.raises(BadOption, match="ids are not unique"):
        merge(a, b, out=tmp_path / "m.parquet")


def test_policies_that_differ_must_be_chosen_between(make_manifest: MakeManifest, tmp_path: Path) -> None:
    voted = {"votes": [9, 1, 0, 0, 0, 0, 0, 0, 0, 0]}
    a = make_manifest(voted, name="a")
    b = make_manifest(voted | {"dataset": "b"}, name="b", policy="crossentropy")
    with pytest.raises(BadOption, match="different policies"):
        merge(a, b, out=tmp_path / "m.parquet")
    assert merge(a, b, out=tmp_path / "m.parquet", votes="majority").rows == 2


def test_something_else_among_the_inputs_is_named(make_manifest: MakeManifest, tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_text("x")
    with pytest.raises(NotAManifest, match=r"x\.parquet is not a Parquet file"):
        merge(make_manifest({"native_label": "fear"}), tmp_path / "x.parquet", out=tmp_path / "m.parquet")


def test_a_killed_merge_leaves_no_manifest_and_the_next_succeeds(make_manifest: MakeManifest, tmp_path: Path) -> None:
    a = make_manifest(*[{"native_label": "fear", "seed": i % 7} for i in range(300)])
    out = tmp_path / "out" / "m.parquet"
    code = (
        "import sys, time; from ferdata.manifest import file as manifest; from ferdata.steps import merge\n"
        "write = manifest.conform\n"
        "def slow(batch): print('row', flush=True); time.sleep(60); return write(batch)\n"
        "manifest.conform = slow\n"
        "merge.merge(sys.argv[1], out=sys.argv[2])"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(a), str(out)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "row\n"
        process.send_signal(signal.SIGKILL)
    assert not out.exists()
    assert merge(a, out=out).rows == 300
    assert [p.name for p in out.parent.iterdir()] == ["m.parquet"]


COPIES = (
    {"native_label": "fear", "official_split": "train", "seed": 1},
    {"native_label": "fear", "official_split": "train", "seed": 2},
    {"native_label": "fear", "official_split": "val", "seed": 3},
    {"native_label": "anger", "dataset": "b", "official_split": "train", "seed": 1},
    {"native_label": "fear", "dataset": "b", "official_split": "train", "seed": 2},
    {"native_label": "anger", "dataset": "b", "official_split": "val", "seed": 9},
)


def test_conflicts_are_told_and_kept_and_decide_who_trains(make_manifest: MakeManifest, tmp_path: Path) -> None:
    path = make_manifest(*COPIES)
    merged = merge(path, out=tmp_path / "keep.parquet")
    assert (merged.conflicts.copied, merged.conflicts.pictures, merged.conflicts.rows) == (2, 1, 2)
    kept = Manifest(merged.out).metadata["lineage"][-1]["conflicts"]
    assert kept["between"][0] | {"first": "b", "second": "made", "pictures": 2, "agreement": 0.5} == kept["between"][0]
    for rule, lost in (
        ("keep", []),
        ("drop", [0, 3]),
        ("majority", [0, 3]),
        ("first:b,made", [0]),
        ("first:made", [3]),
    ):
        out = tmp_path / f"{rule[:7].replace(':', '-')}.parquet"
        rows = (
            Manifest(merge(path, out=out, conflicts=rule, force=True).out)
            .table("label", "target", "split", "split_reason", "picture")
            .to_pylist()
        )
        assert [i for i, r in enumerate(rows) if r["split_reason"] == "conflict"] == lost
        assert [i for i, r in enumerate(rows) if r["split"] is None] == lost
        assert [r["target"] for r in rows] == ["fear", "fear", "fear", "anger", "fear", "anger"]  # never overwritten
        assert [r["picture"] for r in rows] == [0, 1, 2, 0, 1, 3]
        assert validate(out) == 6


def test_a_rule_that_names_a_dataset_that_is_not_here_is_refused(make_manifest: MakeManifest, tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="there is no rafdb here"):
        merge(make_manifest(*COPIES), out=tmp_path / "m.parquet", conflicts="first:rafdb,b")


def test_what_the_taxonomy_leaves_out_is_counted_and_stays(make_manifest: MakeManifest, tmp_path: Path) -> None:
    rows = [{"native_label": label} for label in ("contempt", "contempt", "surprise", "fear")]
    merged = merge(make_manifest(*rows), out=tmp_path / "m.parquet", taxonomy="valence3")
    assert merged.left_out == {"surprise": 1}
    merged = merge(make_manifest(*rows, name="n"), out=tmp_path / "o.parquet", taxonomy="basic7")
    assert (merged.left_out, merged.rows) == ({"contempt": 2}, 4)


def test_a_manifest_of_another_schema_version_is_refused(
    make_manifest: MakeManifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = make_manifest({"native_label": "fear"}, name="new")
    monkeypatch.setattr("ferdata.manifest.file.SCHEMA_VERSION", 0)
    old = make_manifest({"native_label": "fear", "dataset": "b"}, name="old")
    monkeypatch.undo()
    with pytest.raises(NotAManifest, match=r"old\.parquet has schema version 0") as told:
        merge(new, old, out=tmp_path / "m.parquet")
    assert "Ingest the dataset again" in told.value.hint
    assert not (tmp_path / "m.parquet").exists()


def test_an_id_in_two_rows_is_refused(tmp_path: Path) -> None:
    from ferdata import manifest
    from tests.conftest import make_rows, metadata_of

    batch = make_rows([{"native_label": "fear", "sample_id": "made:same"}] * 2)
    manifest.write(tmp_path / "a.parquet", [batch], metadata_of(batch))
    with pytest.raises(BadOption, match="1 ids occur in several rows, first made:same"):
        merge(tmp_path / "a.parquet", out=tmp_path / "m.parquet")


@pytest.mark.parametrize("names", [("my-set", "my_set"), ("Faces", "faces"), ("a b", "a.b")])
def test_two_datasets_that_one_variable_would_stand_for_are_refused_unless_they_hold_their_images(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    from ferdata.steps.ingest import ingest
    from tests.fakes import face, save

    save(tmp_path / "d" / "fear" / "a.png", face(1))
    first, second = (
        ingest("folder", root=tmp_path / "d", out=tmp_path / f"{i}.parquet", name=name).out
        for i, name in enumerate(names)
    )
    with pytest.raises(BadOption, match=f"would be the root of both {names[0]} and {names[1]}") as told:
        merge(first, second, out=tmp_path / "m.parquet")
    assert root_variable(names[0]) in told.value.message
    embedded = ingest("folder", root=tmp_path / "d", out=tmp_path / "e.parquet", name=names[1], images="embed").out
    assert merge(first, embedded, out=tmp_path / "m.parquet").rows == 2


def test_images_that_moved_are_told_with_the_way_to_point_at_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ferdata.errors import ImagesMissing
    from ferdata.steps.ingest import ingest
    from tests.fakes import face, save

    save(tmp_path / "d" / "fear" / "a.png", face(1))
    save(tmp_path / "d" / "fear" / "b.jpg", face(1))
    made = ingest("folder", root=tmp_path / "d", out=tmp_path / "a.parquet").out
    (tmp_path / "d").rename(tmp_path / "elsewhere")
    with pytest.raises(ImagesMissing) as told:
        merge(made, out=tmp_path / "m.parquet")
    assert "FERDATA_ROOT_FOLDER" in told.value.hint
    assert merge(made, out=tmp_path / "exact.parquet", by=("pixels", "subject", "sequence")).rows == 2  # needs none
    monkeypatch.setenv("FERDATA_ROOT_FOLDER", str(tmp_path / "elsewhere"))
    assert merge(made, out=tmp_path / "m.parquet").near == 1


def test_of_two_merges_at_once_into_one_file_one_wins_whole(make_manifest: MakeManifest, tmp_path: Path) -> None:
    inputs = [make_manifest(*[{"native_label": e, "seed": i} for i in range(200)], name=e) for e in ("fear", "anger")]
    out = tmp_path / "out" / "m.parquet"
    command = "import sys; from ferdata.steps.merge import merge; merge(sys.argv[1], out=sys.argv[2], force=True)"
    running = [subprocess.Popen([sys.executable, "-c", command, str(m), str(out)]) for m in inputs]
    assert [process.wait() for process in running] == [0, 0]
    assert validate(out, images=True) == 200
    assert len(set(Manifest(out).table("label")["label"].to_pylist())) == 1
    assert [p.name for p in out.parent.iterdir()] == ["m.parquet"]


def test_caps_and_generated_faces_are_counted_by_reason(make_manifest: MakeManifest, tmp_path: Path) -> None:
    rows = [{"native_label": "fear", "official_split": "train", "synthetic": i < 30} for i in range(60)]
    ends = [{"native_label": "fear", "official_split": s, "synthetic": True} for s in ("val", "test")]
    val = {"native_label": "fear", "official_split": "val"}
    path = make_manifest(*rows, *ends, val)
    merged = merge(path, out=tmp_path / "m.parquet", cap=["fear=50"], max_synthetic=0.25)
    part = merged.parts["made"]
    assert part.left_out["synthetic"] == 2
    assert part.left_out["capped"] == 10
    assert (part.train, part.val, part.test) == (50 - part.left_out["synthetic_capped"], 1, 0)
    assert validate(merged.out) == 63


words = st.sampled_from([None, "x", "y"])
SAME_ROWS = ("sample_id", "group", "picture", "split", "split_reason", "fold")


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "seed": st.integers(0, 5), "copy": st.booleans(), "subject": words, "sequence": words,
                "dataset": st.sampled_from("ab"), "official_split": st.sampled_from([None, *SPLITS]),
                "native_label": st.sampled_from(["fear", "anger"]),
            }
        ),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from([BY, ("pixels", "near"), ("pixels", "subject", "sequence")]),
    st.sampled_from([{}, {"split": "0.5,0.25,0.25", "conflicts": "majority"}, {"conflicts": "drop"}]),
)  # fmt: skip
def test_merge_is_group_and_split_to_the_row(
    make_manifest: MakeManifest, tmp_path: Path, rows: list[dict], by: tuple[str, ...], rules: dict
) -> None:
    (tmp_path / "made.parquet").unlink(missing_ok=True)
    path = make_manifest(*(stored(row) for row in rows))
    merged = merge(path, out=tmp_path / "m.parquet", by=by, most=1, force=True, **rules)
    grouped = group(path, out=tmp_path / "g.parquet", by=by, most=1, force=True)
    parted = split(grouped.out or path, out=tmp_path / "s.parquet", force=True, **rules)
    assert Manifest(parted.out).table(*SAME_ROWS).equals(Manifest(merged.out).table(*SAME_ROWS))
    assert (grouped.groups, grouped.near) == (merged.groups, merged.near)


def stored(row: dict) -> dict:
    """Return the row as `make_manifest` takes it; a `copy` is the picture after JPEG, near the one of its seed."""
    given = dict(row)
    pixels = picture(given.pop("seed"))
    if given.pop("copy"):
        pixels = cv2.imdecode(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_GRAYSCALE)
    facts = images.measure(pixels)
    measured = {name: getattr(facts, name) for name in images.Facts.__slots__}
    return given | measured | {"image": {"bytes": images.encode_png(pixels), "path": None}}


def test_two_people_whose_pictures_are_near_copies_are_two_groups_to_group_as_to_merge(
    make_manifest: MakeManifest, tmp_path: Path
) -> None:
    rows = [{"seed": k, "copy": False, "subject": f"P{k}", "native_label": "fear"} for k in range(12)]
    path = make_manifest(*map(stored, [*rows, {"seed": 0, "copy": True, "subject": "P99", "native_label": "fear"}]))
    assert group(path).groups == merge(path, out=tmp_path / "m.parquet").groups == 13
