"""Audit: the columns, the counts, the page; what is gone is told and stops nothing."""

import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ferdata import images, manifest
from ferdata.errors import AlreadyExists, BadOption, MissingModel
from ferdata.labels import EMOTIONS
from ferdata.manifest import Manifest
from ferdata.steps.align import align
from ferdata.steps.audit import Audited, audit
from ferdata.steps.validate import validate
from tests.conftest import MakeManifest, make_rows, metadata_of, picture


def by_name(result: Audited) -> dict[str, int]:
    return {o.name: o.count for o in result.findings}


def issues(path: Path) -> list[list[str] | None]:
    return list(Manifest(path).table("issues")["issues"].to_pylist())


def data_of(page: Path) -> dict:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text(), re.DOTALL)
    assert found
    return dict(json.loads(found[1]))


@pytest.fixture
def leaky(make_manifest: MakeManifest) -> Path:
    return make_manifest(
        {"seed": 1, "native_label": "anger", "official_split": "train"},
        {"seed": 1, "native_label": "fear", "official_split": "test"},
        {"seed": 2, "native_label": "fear", "official_split": "train", "brightness": 0.01},
        {"seed": 3, "native_label": "anger", "official_split": "test"},
    )


def test_findings_are_counted_and_written_and_the_manifest_stays_valid(leaky: Path, tmp_path: Path) -> None:
    result = audit(leaky, out=tmp_path / "audited.parquet", threshold=["blurred=0"])
    assert by_name(result) | {"leak": 2, "conflict": 2, "dark": 1} == by_name(result)
    assert issues(tmp_path / "audited.parquet") == [["conflict", "leak"], ["conflict", "leak"], ["dark"], None]
    assert validate(tmp_path / "audited.parquet") == 4
    record = Manifest(tmp_path / "audited.parquet").metadata["lineage"][-1]
    assert record["step"] == "audit"
    assert record["found"]["leak"] == 2
    assert record["options"]["thresholds"]["blurred"] == 0


def test_nothing_is_written_that_was_not_asked_for(leaky: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    result = audit(leaky, fail_on=["leak", "small"])
    assert result.failed == ("leak",)
    assert sorted(tmp_path.iterdir()) == before


def test_an_audit_of_an_audited_manifest_finds_the_same(leaky: Path, tmp_path: Path) -> None:
    first = audit(leaky, out=tmp_path / "a.parquet")
    second = audit(tmp_path / "a.parquet", out=tmp_path / "b.parquet")
    assert by_name(first) == by_name(second)
    assert first.fingerprint == second.fingerprint


def test_votes_give_the_quality_where_nothing_is_predicted(make_manifest: MakeManifest, tmp_path: Path) -> None:
    made = make_manifest({"votes": [7, 3, 0, 0, 0, 0, 0, 0, 0, 0]}, {"native_label": "fear"})
    audit(made, out=tmp_path / "out.parquet")
    quality = Manifest(tmp_path / "out.parquet").table("label_quality")["label_quality"].to_pylist()
    assert quality == [pytest.approx(0.7), None]


def told(made: Path, path: Path, wrong: set[int]) -> Path:
    """Write predictions that agree with every label but those at `wrong`."""
    table = Manifest(made).table("sample_id", "target")
    p = np.full((len(table), 8), 0.002)
    for i, name in enumerate(table["target"].to_pylist()):
        k = EMOTIONS.index(name)
        p[i, k if i not in wrong else (k + 1) % 8] = 0.986
    columns = {e: p[:, i] for i, e in enumerate(EMOTIONS)}
    pq.write_table(pa.table({"sample_id": table["sample_id"], **columns}), path)
    return path


def test_predictions_name_the_labels_that_they_doubt(make_manifest: MakeManifest, tmp_path: Path) -> None:
    made = make_manifest(*({"native_label": EMOTIONS[i % 8]} for i in range(160)))
    said = told(made, tmp_path / "said.parquet", {5, 70})
    result = audit(made, out=tmp_path / "out.parquet", predictions=said, threshold=["blurred=0"])
    assert [i for i, found in enumerate(issues(tmp_path / "out.parquet")) if found] == [5, 70]
    quality = Manifest(tmp_path / "out.parquet").table("label_quality")["label_quality"].to_numpy()
    assert set(np.argsort(quality)[:2]) == {5, 70}
    assert result.noise is not None
    page = data_of(tmp_path / "out.html")
    row = next(r for r in page["rows"] if r["id"] == "made:0005")
    assert (row["label"], row["predicted"]) == (EMOTIONS[5], EMOTIONS[6])


def test_images_that_are_gone_broken_or_others_are_told_of_and_stop_nothing(tmp_path: Path) -> None:
    for i in range(4):
        (tmp_path / f"{i}.png").write_bytes(images.encode_png(picture(i)))
    batch = make_rows([{"image": {"bytes": None, "path": f"{i}.png"}, "native_label": "fear"} for i in range(4)])
    metadata = metadata_of(batch)
    metadata["sources"]["made"]["root"] = "."
    manifest.write(tmp_path / "made.parquet", [batch], metadata)
    (tmp_path / "0.png").unlink()
    (tmp_path / "1.png").write_bytes(b"\x89PNG cut")
    (tmp_path / "2.png").write_bytes(images.encode_png(picture(99)))
    result = audit(tmp_path / "made.parquet", out=tmp_path / "out.parquet", threshold=["blurred=0"])
    assert issues(tmp_path / "out.parquet") == [["unreadable"], ["unreadable"], ["changed"], None]
    assert by_name(result)["unreadable"] == 2
    assert [r["picture"] == "" for r in data_of(tmp_path / "out.html")["rows"]] == [True, True, False, False]


def test_what_ingest_could_not_read_counts_as_unreadable(leaky: Path) -> None:
    rejects = pa.table({"path": ["a.png", None], "reason": ["empty file", "not_named"]})
    pq.write_table(rejects, leaky.with_suffix(".rejects.parquet"))
    result = audit(leaky)
    assert result.rejected == {"empty file": 1}
    assert by_name(result)["unreadable"] == 1


def test_grey_pictures_saved_as_colour_are_grey(tmp_path: Path) -> None:
    colour = np.stack([picture(1), picture(2), picture(3)], axis=2)
    grey = np.stack([picture(4)] * 3, axis=2)
    rows = []
    for pixels in (colour, colour[::-1].copy(), colour[:, ::-1].copy(), grey):
        facts = images.measure(pixels)
        stored = {"image": {"bytes": images.encode_png(pixels), "path": None}}
        rows.append(stored | {n: getattr(facts, n) for n in images.Facts.__slots__})
    batch = make_rows(rows)
    manifest.write(tmp_path / "made.parquet", [batch], metadata_of(batch))
    assert by_name(audit(tmp_path / "made.parquet"))["grey"] == 1
    assert by_name(audit(tmp_path / "made.parquet", pixels=False))["grey"] == 0  # the file says RGB


def test_faces_are_looked_for_where_asked_and_aligns_word_is_kept_where_not(
    make_manifest: MakeManifest, tmp_path: Path
) -> None:
    made = make_manifest({"seed": 1}, {"seed": 2})
    looked = {o.name: (o.count, o.of) for o in audit(made, detect="haar").findings}
    assert looked["no_face"] == (2, 2)
    assert looked["small_face"] == (0, 0)  # no face, no size
    align(made, out=tmp_path / "aligned.parquet", detector="haar", size=48)
    audit(tmp_path / "aligned.parquet", out=tmp_path / "out.parquet", threshold=["blurred=0"])
    assert issues(tmp_path / "out.parquet") == [["no_face"], ["no_face"]]


def test_the_page_holds_the_worst_of_each_finding_and_asks_nothing_of_a_network(
    make_manifest: MakeManifest, tmp_path: Path
) -> None:
    made = make_manifest(*({"brightness": 0.01 * i, "native_label": "fear"} for i in range(9, 0, -1)))
    audit(made, report=tmp_path / "page.html", thumbnails=3, threshold=["blurred=0"])
    text = (tmp_path / "page.html").read_text()
    assert not re.search(r"(src|href)=[\"']?https?:|@import|url\(", text)
    assert "default-src 'none'" in text
    page = data_of(tmp_path / "page.html")
    dark = next(f for f in page["findings"] if f["name"] == "dark")
    assert dark["count"] == 9
    rows = [page["rows"][i] for i in dark["rows"]]
    assert [r["found"]["dark"] for r in rows] == pytest.approx([0.01 * i for i in range(1, 10)])
    assert all(r["picture"].startswith("data:image/webp;base64,") for r in rows[:3])
    assert None in [r["picture"] for r in rows[3:]]  # others have one by other findings


def test_a_name_cannot_break_out_of_the_page(tmp_path: Path) -> None:
    evil = "made:</script><script>alert(1)</script>"
    batch = make_rows([{"sample_id": evil, "brightness": 0.0, "native_label": "fear"}])
    manifest.write(tmp_path / "made.parquet", [batch], metadata_of(batch))
    audit(tmp_path / "made.parquet", report=tmp_path / "page.html")
    assert "<script>alert" not in (tmp_path / "page.html").read_text()
    assert data_of(tmp_path / "page.html")["rows"][0]["id"] == evil


def test_an_empty_manifest_has_no_findings(make_manifest: MakeManifest, tmp_path: Path) -> None:
    empty = pa.RecordBatch.from_pylist([], schema=make_rows([{}]).schema)
    manifest.write(tmp_path / "empty.parquet", [empty], metadata_of(make_rows([{}])))
    result = audit(tmp_path / "empty.parquet", out=tmp_path / "out.parquet")
    assert not any(o.count for o in result.findings)


def test_options_that_cannot_work_are_refused_before_the_work(leaky: Path, tmp_path: Path) -> None:
    for options, words in (
        ({"fail_on": ["leaks"]}, "no finding 'leaks'.\nDid you mean leak"),
        ({"threshold": ["dark=x"]}, "threshold of dark"),
        ({"detect": "eyes"}, "--detect cannot be"),
        ({"detect": "haar", "pixels": False}, "--no-pixels"),
        ({"model": "x.onnx"}, "--model is for YuNet"),
        ({"report": tmp_path / "page.pdf"}, "cannot be page.pdf"),
        ({"predictions": tmp_path / "none.parquet"}, "holds no predictions"),
    ):
        with pytest.raises(BadOption, match=re.escape(words)):
            audit(leaky, **options)  # type: ignore[arg-type]
    with pytest.raises(MissingModel):
        audit(leaky, detect="yunet", model=tmp_path / "none.onnx")
    with pytest.raises(AlreadyExists):
        audit(leaky, out=leaky)
    (tmp_path / "page.html").write_text("mine")
    with pytest.raises(AlreadyExists):
        audit(leaky, report=tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text() == "mine"
