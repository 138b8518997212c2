"""Words of unknown origin: spellings of the emotions, in languages and with what people add; words of the splits."""

import pytest

from ferdata.sources.words import meaning, split_of


@pytest.mark.parametrize(
    ("word", "emotion"),
    [
        ("Suprise", "surprise"), ("0_angry", "anger"), ("Angry_faces", "anger"), ("Surprised ", "surprise"),
        ("normal", "neutral"), ("01-Happy", "happiness"), ("3. sad", "sadness"), ("fear images", "fear"),
        # German, French, Polish, Spanish, Chinese
        ("überrascht", "surprise"), ("Ueberraschung", "surprise"), ("TRAURIG", "sadness"), ("wütend", "anger"),
        ("Freude", "happiness"), ("Ekel", "disgust"), ("Angst", "fear"), ("Verachtung", "contempt"),
        ("colère", "anger"), ("colere", "anger"), ("dégoût", "disgust"), ("joie", "happiness"), ("neutre", "neutral"),
        ("peur", "fear"), ("tristesse", "sadness"), ("mépris", "contempt"),
        ("złość", "anger"), ("zlosc", "anger"), ("radość", "happiness"), ("smutek", "sadness"), ("strach", "fear"),
        ("wstręt", "disgust"), ("zaskoczenie", "surprise"), ("neutralny", "neutral"), ("pogarda", "contempt"),
        ("enojo", "anger"), ("alegría", "happiness"), ("miedo", "fear"), ("asco", "disgust"), ("sorpresa", "surprise"),
        ("tristeza", "sadness"), ("desprecio", "contempt"),
        ("高兴", "happiness"), ("快樂", "happiness"), ("愤怒", "anger"), ("生气", "anger"), ("悲伤", "sadness"),
        ("惊讶", "surprise"), ("驚訝", "surprise"), ("恐惧", "fear"), ("厌恶", "disgust"), ("中性", "neutral"),
        ("轻蔑", "contempt"),
    ],
)  # fmt: skip
def test_a_word_for_an_emotion_is_understood(word, emotion):
    assert meaning(word, {}) == emotion


@pytest.mark.parametrize(
    "word",
    [
        "3",
        "0_",
        "7_bored",
        "not happy",
        "happy sad",
        "images",
        "faces",
        "disgusto",
        "content",
        "zły",
        "calm",
        "angry 2",
        "S01 happy",
        "",
    ],
)
def test_what_is_no_word_or_an_ambiguous_one_is_not_guessed(word):
    assert meaning(word, {}) is None


def test_the_users_own_map_decides_first_whatever_the_case_or_form():
    own = {"Normal": "other", "Wüt": "anger", "3": "fear"}
    assert meaning("normal", own) == "other"
    assert meaning("wu\u0308t", own) == "anger"
    assert meaning("3.0", own) == "fear"
    assert meaning("wut", own) == "anger"  # the German word, not the map's


@pytest.mark.parametrize("word", ["train", " Train ", "training", "train_labels", "list_train", "TRAIN-SET"])
def test_a_word_for_a_split_is_understood(word):
    assert split_of(word) == "train"


@pytest.mark.parametrize(
    "word", ["trainer", "train_val", "contest", "validated", "web_dev", "set", "", "3", "testimony"]
)
def test_what_only_holds_a_splits_letters_is_none(word):
    assert split_of(word) is None
