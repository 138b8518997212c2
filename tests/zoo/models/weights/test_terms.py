from pathlib import Path
from types import SimpleNamespace

import pytest
import timm

from zoo.models.weights import terms
from zoo.models.weights.key_maps import MAPS

REPOSITORY = Path(__file__).resolve().parents[4]


def test_every_naming_has_its_terms_and_no_terms_are_of_none() -> None:
    assert set(terms.BY_NAMING) == {one.naming for one in MAPS}


@pytest.mark.parametrize("naming", terms.BY_NAMING)
def test_the_page_on_weights_says_the_same(naming: str) -> None:
    page = (REPOSITORY / "docs" / "weights.md").read_text(encoding="utf-8")
    assert f"| {naming} | {terms.BY_NAMING[naming]} |" in page


def test_a_file_of_a_naming_that_nobody_knows_is_not_known() -> None:
    assert terms.of_file(Path("w.pth"), "nobody").terms == terms.NOT_KNOWN


def test_withdrawn_faces_are_named_as_withdrawn() -> None:
    for naming in ("InsightFace", "InsightFace_Pytorch"):
        assert "MS-Celeb-1M, which its owner withdrew" in terms.of_file(Path("w.pth"), naming).terms


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("resnet50.a1_in1k", "learnt on ImageNet"),
        ("tf_efficientnet_b0.ns_jft_in1k", "JFT-300M"),
        ("resnet18.fb_swsl_ig1b_ft_in1k", "Instagram"),
        ("vit_base_patch16_clip_224.laion2b", "pictures from the web"),
        ("resnet34.bt_in1k", "licence apache-2.0"),
    ],
)
def test_timms_tags_say_what_they_were_learnt_on(name: str, words: str) -> None:
    known = timm.models.get_pretrained_cfg(name)
    found = terms.of_timm(name, known)
    assert words in found.terms
    assert found.weights == f"{name}, as timm publishes it"


def test_a_tag_that_nobody_knows_is_not_known() -> None:
    assert terms.NOT_KNOWN in terms.of_timm("resnet18", SimpleNamespace(tag="mine", license=None)).terms


def test_paddles_distilled_weights_are_not_taken_for_others() -> None:
    found = terms.of_timm("hgnet_small.ssld_in1k", SimpleNamespace(tag="ssld_in1k", license="apache-2.0"))
    assert "YFCC" not in found.terms
