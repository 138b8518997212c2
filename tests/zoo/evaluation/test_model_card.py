"""The card, line by line, of a report made up so that every part of it has something to say."""

import pytest

from ferdata import labels
from zoo.evaluation.model_card import USE, card
from zoo.run.model_file import Meta

CLASSES = labels.taxonomy("fer3")
CONFIG = {"targets": "crossentropy", "seed": 7}


def meta(**more):
    facts = {
        **{"backbone": "resnet_fer", "classes": ("negative", "neutral", "positive"), "taxonomy": CLASSES.as_dict()},
        **{"mean": (0.5,), "std": (0.25,), "size": 48, "channels": 1, "tta": "flip", "manifest": "data/mine.parquet"},
        **{"fingerprint": "f1", "chosen": {"epoch": 4}, "config": CONFIG},
    }
    return Meta(**{**facts, **more})


def figures(n, recall, precision, f1, interval, auc=None):
    known = {"n": n, "recall": recall, "precision": precision, "f1": f1, "auc": auc}
    return {**known, "intervals": {"recall": interval}}


def part(n, accuracy, small=False):
    spread = {"accuracy": [accuracy - 0.1, accuracy + 0.1], "macro_f1": None}
    return {"n": n, "accuracy": accuracy, "macro_f1": accuracy / 2, "small": small, "intervals": spread}


def source(title, homepage="", licence="", commercial=None, redistribution=None, citation=""):
    return {
        **{"title": title, "homepage": homepage, "licence": licence, "commercial": commercial},
        **{"redistribution": redistribution, "citation": citation},
    }


@pytest.fixture
def report():
    ends = {"accuracy": [0.7, 0.8], "balanced_accuracy": None, "macro_f1": [0.5, 0.65]}
    ends |= {"top2_accuracy": [0.85, 0.95], "macro_auc": None}
    return {
        **{"n": 1234, "accuracy": 0.75, "balanced_accuracy": 0.61, "macro_f1": 0.6, "ece": 0.05, "log_loss": 0.7},
        **{"top2_accuracy": 0.9, "macro_auc": 0.8765},
        **{"confidence_intervals": ends, "baseline": {"majority_share": 0.4}, "parameters": 1_234_567},
        "bootstrap": {"draws": 2000, "units": 900, "unit": "groups of images"},
        "calibration": {
            **{"bins": 15, "temperature": 1.25, "before": {"ece": 0.09}, "after": {"ece": 0.05}},
            "intervals": {"ece": [0.04, 0.06], "log_loss": [0.65, 0.75]},
        },
        "voters": None,
        "per_class": {
            "negative": figures(1200, 0.8, 0.9, 0.85, [0.75, 0.85], 0.9876),
            "neutral": figures(29, 0.5, None, 0.4, [0.3, 0.7]),
            "positive": figures(0, None, 0.0, None, None),
        },
        **{"by_dataset": {"made": part(1234, 0.75)}, "by_person": {}, "caution": ""},
        "protocol": {
            **{"split": "test", "split_source": "split", "fold": None, "taxonomy": "fer3", "tta": "flip"},
            "selection": "the epoch with the best val accuracy",
        },
        "sources": {"made": source("", citation=" @misc{made} ")},
    }


def section(text, heading):
    """The lines of a section, without its heading and the empty ones around it."""
    return text.split(f"\n## {heading}\n")[1].split("\n## ")[0].strip().splitlines()


def test_the_head_says_what_goes_in_what_comes_out_and_where_it_began(report):
    assert card(meta(), report).splitlines()[:4] == [
        "# resnet_fer on mine.parquet",
        "",
        "Facial expression from one face picture: negative, neutral, positive. Input 48 x 48, 1 channel(s), "
        "1,234,567 parameters, trained from random weights.",
        "",
    ]
    del report["parameters"]
    for more, words in (
        ({"pretrained": True}, "pretrained weights"),
        ({"weights": "w.pt"}, "weights from w.pt"),
        ({"init": "runs/a", "pretrained": False}, "weights from runs/a"),
    ):
        head = card(meta(config=CONFIG | more), report).splitlines()[2]
        assert head.endswith(f"1 channel(s), trained from {words}.")


def test_a_caution_stands_above_the_figures(report):
    report["caution"] = "It is no better than chance."
    lines = card(meta(), report).splitlines()
    assert lines[4:7] == ["**It is no better than chance.**", "", "| 1,234 test images | figure | 95 % interval |"]


FIGURES = """\
| 1,234 test images | figure | 95 % interval |
|---|---|---|
| accuracy | 75.0% | 70.0% to 80.0% |
| balanced accuracy | 61.0% | - |
| macro-F1 | 60.0% | 50.0% to 65.0% |
| top-2 accuracy | 90.0% | 85.0% to 95.0% |
| macro AUC, one against rest | 0.876 | - |
| majority-class baseline | 40.0% | |
| ECE (T = 1.25; uncalibrated 9.0%) | 5.0% | 4.0% to 6.0% |
| log loss, nats | 0.700 | 0.650 to 0.750 |

Intervals: 2,000 bootstrap draws of 900 groups of images. ECE: expected calibration error over 15 bins of equal width; \
T: temperature, fitted on val. AUC: area below the ROC curve of one class against the rest.

| class | images | recall | 95 % interval | precision | F1 | AUC |
|---|---|---|---|---|---|---|
| negative | 1,200 | 80.0% | 75.0% to 85.0% | 90.0% | 85.0% | 0.988 |
| neutral | 29 (few) | 50.0% | 30.0% to 70.0% | - | 40.0% | - |
| positive | 0 (few) | - | - | 0.0% | - | - |

## Protocol
"""


def test_figures_stand_with_their_intervals_and_each_class_with_its_images(report):
    assert FIGURES in card(meta(), report)


def test_what_cannot_be_known_of_two_classes_or_of_one_is_left_out(report):
    report |= {"top2_accuracy": None, "macro_auc": None}
    text = card(meta(), report)
    assert "top-2" not in text
    assert "| macro AUC" not in text


def test_the_distance_to_the_voters_is_told_where_there_were_any(report):
    assert "annotator distribution" not in card(meta(), report)
    report["voters"] = {"n": 1000, "total_variation": 0.3, "intervals": {"total_variation": [0.25, 0.35]}}
    told = "| total variation from annotator distribution (1,000 images) | 0.300 | 0.250 to 0.350 |"
    assert f"0.750 |\n{told}\n\nIntervals" in card(meta(), report)


def test_parts_are_told_apart_where_there_are_several(report):
    assert "| dataset | images |" not in card(meta(), report)
    report["by_dataset"] = {"a": part(1000, 0.8), "b": part(20, 0.3, small=True)}
    report["by_person"] = {"gender": {"female": part(9, 0.5), "male": part(8, 0.6)}, "age": {"adult": part(17, 0.5)}}
    text = card(meta(), report)
    assert (
        "| dataset | images | accuracy | 95 % interval | macro-F1 | 95 % interval |\n|---|---|---|---|---|---|\n"
        "| a | 1,000 | 80.0% | 70.0% to 90.0% | 40.0% | - |\n| b | 20 (few) | 30.0% | 20.0% to 40.0% | 15.0% | - |\n\n"
        "| gender | images |"
    ) in text
    assert "| age |" not in text


def test_names_that_no_font_can_draw_are_told_with_the_numbers_that_charts_have_in_their_place(report):
    rows = report["per_class"]
    report["per_class"] = {"negative": rows["negative"], "\U0010fffd": rows["neutral"]}
    words = "In the charts: (2) \U0010fffd. No font that is installed here has their letters."
    assert f"- | 40.0% | - |\n\n{words}\n\n## Protocol" in card(meta(), report)


def test_the_protocol_says_how_it_was_trained_chosen_checked_and_scored(report):
    assert section(card(meta(), report), "Protocol") == [
        "- The checkpoint is of epoch 4: the epoch with the best val accuracy.",
        "- Leak check: not made.",
        "- Manifest fingerprint `f1`; split column `split`; taxonomy fer3; views averaged at test: flip; scored in "
        "float32.",
    ]
    report["training"] = {"epochs": 29.5, "n_train": 5000, "seconds": 61.2, "device": "cpu", "precision": "32-true"}
    report["protocol"] |= {"fold": 2, "leak_check": {"val_in_train": 0, "test_in_train": 0}}
    first, chosen, leak, last = section(card(meta(chosen={}), report), "Protocol")
    assert first == (
        "- Trained for 29.5 epochs on 5,000 images, crossentropy targets, in 61 s on cpu (32-true), seed 7."
    )
    assert "of epoch 0:" in chosen
    assert leak == "- Leak check: no val or test image has a duplicate in train."
    assert "split column `split`, fold 2 as test;" in last


@pytest.mark.parametrize(("val", "test"), [(3, 0), (0, 1200), (3, 1200)])
def test_a_leak_is_told_in_bold(report, val, test):
    report["protocol"]["leak_check"] = {"val_in_train": val, "test_in_train": test}
    assert section(card(meta(), report), "Protocol")[1] == (
        f"- Leak check: **{test:,} test and {val} val images have duplicates in train** (--allow-leak): the figures "
        "above are too good."
    )


def test_what_it_is_for_stands_whole(report):
    assert section(card(meta(), report), "Intended use") == [USE]


CAVEATS = [
    "- Subgroup performance cannot be measured: the datasets publish no age, gender or ethnicity.",
    "- One run with one seed: another seed moves these figures too, which the intervals do not cover.",
    "- Tested on pictures like those it was trained on; on other cameras, ages and cultures it will do worse.",
]


def test_caveats_name_the_classes_that_are_few_absent_or_worst(report):
    assert section(card(meta(), report), "Caveats") == [
        "- Fewer than 30 test images: neutral. Their figures say little.",
        "- No test image at all: positive. Nothing is known of them.",
        "- Lowest recall: neutral (50%).",
        *CAVEATS,
    ]
    report["by_person"] = {"gender": {"female": part(9, 0.5)}}
    rows = report["per_class"]
    report["per_class"] = {"negative": rows["negative"], "positive": rows["negative"]}
    assert section(card(meta(), report), "Caveats") == ["- Lowest recall: negative, positive (80%).", *CAVEATS[1:]]
    report["per_class"] = {"positive": rows["positive"]}
    assert "Lowest recall" not in card(meta(), report)


def test_each_dataset_stands_with_its_terms_and_all_citations_together(report):
    table = [
        "The datasets' terms hold for weights trained on them too.",
        "",
        "| dataset | licence | commercial use | redistribution |",
        "|---|---|---|---|",
    ]
    lone = section(card(meta(), report), "Data, licences, citations")
    assert lone == [*table, "| made | not stated | not stated | not stated |", "", "```bibtex", "@misc{made}", "```"]
    report["sources"] = {
        "one": source("One", "https://one.example", "CC0", True, True, "@misc{one}"),
        "two": source("Two", "", "own", False, False),
        "three": source("Three", citation="@misc{three}"),
    }
    several = section(card(meta(), report), "Data, licences, citations")
    assert several[4:] == [
        "| [One](https://one.example) | CC0 | allowed | allowed |",
        "| Two | own | not allowed | not allowed |",
        "| Three | not stated | not stated | not stated |",
        *["", "```bibtex", "@misc{one}", "", "@misc{three}", "```"],
    ]
    report["sources"] = {"two": report["sources"]["two"]}
    assert "bibtex" not in card(meta(), report)


def test_a_dataset_of_somebody_elses_brings_no_tag_no_link_and_no_code_into_the_card(report):
    evil = source(
        "<img src=x onerror=alert(1)>\x1b[2J", "javascript:alert(1)", "<b>", citation="```\n<script>\n# A head"
    )
    lines = card(meta(manifest="<i>.parquet"), {**report, "sources": {"made": evil}})
    before, inside, after = lines.split("```")
    assert "<" not in before + after
    assert "javascript:" not in lines
    assert "\x1b" not in lines
    assert inside.startswith("bibtex\n")
    assert "# A head" in inside
