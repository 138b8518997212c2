"""Words of folders and tables of unknown origin: which emotion a label means, which split a folder's name.

A label means what the user's own map says, else what is unmistakable: a known spelling, with a number before it or
`faces` behind it. Whatever was not literally a class is reported with the class that it was read as.
"""

import functools
import re
import unicodedata
from collections.abc import Iterable, Mapping

from ferdata.errors import BadOption, UnknownLabel, did_you_mean, listed
from ferdata.labels import EMOTIONS, REASONS, bare, spelled
from ferdata.running.plain_file import read_plain
from ferdata.running.text_file import parse_toml
from ferdata.sources.declaration import UNKNOWN_LABELS
from ferdata.sources.tables import value

# Spellings of the splits, in lower case.
SPLIT_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "publictest"), "val"),
    **dict.fromkeys(("test", "testing", "privatetest"), "test"),
}
# What people write beside an emotion or a split and that changes nothing.
_PICTURES = {"face", "faces", "image", "images", "img", "imgs", "pic", "pics", "picture", "pictures", "photo", "photos"}
_OF_LABELS = _PICTURES | {"expression", "expressions", "emotion", "emotions", "class", "label"}
_OF_SPLITS = _PICTURES | {
    "set", "sets", "split", "data", "dataset", "folder", "part", "list", "label", "labels", "annotation", "annotations",
    "metadata", "aligned", "csv", "tsv",
}  # fmt: skip
_GLUED = re.compile("(.+?)(?:set|data|images|faces)")


def _same(word: str) -> str:
    """Return the form in which a word is compared with the user's own: capitals, Unicode form and 3.0 do not count."""
    return unicodedata.normalize("NFC", value(word) or word.strip()).casefold()


def read_labels(option: str | None) -> dict[str, str]:
    """Return a user's own label map, a TOML file with a table `[labels]` of native label = emotion or reason.

    Raises BadOption where the file is no such map.
    """
    if option is None:
        return {}
    hint = f'It needs a table [labels] with lines like "Happy" = "happiness"; there are {", ".join(EMOTIONS)}, '
    hint += f"and for rows without a label {', '.join(REASONS)}."
    try:
        table = parse_toml(read_plain(option))["labels"]
        pairs = {str(native): str(means) for native, means in table.items()}
    except OSError as error:
        raise BadOption(f"Cannot read the label map {option}: {error.strerror}.", "Check the path.") from None
    except (ValueError, KeyError, AttributeError) as error:
        raise BadOption(f"{option} is not a label map: {error}.", hint) from None
    if strangers := [f"{n!r} = {m!r}" for n, m in pairs.items() if m not in (*EMOTIONS, *REASONS)]:
        first = next(means for means in pairs.values() if means not in (*EMOTIONS, *REASONS))
        meant = did_you_mean(first, (*EMOTIONS, *REASONS))
        raise BadOption(f"{option} maps to unknown emotions: {listed(strangers)}.", f"{meant}{hint}")
    return pairs


def meaning(native: str, own: Mapping[str, str]) -> str | None:
    """Return what a label of unknown origin means: by the user's own map, else as an everyday spelling."""
    return own_meaning(native, own) or _spelled(native)


def own_meaning(native: str, own: Mapping[str, str]) -> str | None:
    """Return what the user's own map says of a label, however it is capitalised."""
    return own.get(native) or ({_same(word): means for word, means in own.items()}.get(_same(native)) if own else None)


@functools.lru_cache(maxsize=4096)
def _spelled(native: str) -> str | None:
    if whole := spelled(native):
        return whole
    words = re.findall(r"[^\W_]+", bare(native))
    if words and words[0].isdecimal():  # a number before the word
        del words[0]
    return spelled(" ".join(word for word in words if word not in _OF_LABELS))


def classes_named(folders: Iterable[str], own: Mapping[str, str]) -> dict[str, str]:
    """Return the classes that the folders of a path name, each with the first that does.

    Folders of the user's own map decide alone, where there are any. Two classes are a contradiction.
    """
    names = list(folders)
    said = [(name, means) for name in names if (means := own_meaning(name, own))]
    said = said or [(name, means) for name in names if (means := _spelled(name))]
    classes: dict[str, str] = {}
    for name, means in said:
        classes.setdefault(means, name)
    return classes


def told_spellings(labels: Mapping[str, str], own: Mapping[str, str]) -> str:
    """Return, for the user to check, which labels were read as which class by their spelling; "" where none were."""
    guessed = [
        f"{native} as {means}"
        for native, means in sorted(labels.items(), key=lambda item: item[0].casefold())
        if native.casefold() != means and not own_meaning(native, own)
    ]
    return f"Labels read by their spelling: {listed(guessed, 24)}." if guessed else ""


def mapped_labels(
    counts: Mapping[str, int], own: Mapping[str, str], options: Mapping[str, str | None], where: str, unit: str
) -> dict[str, str]:
    """Return what each of the labels means, those alone that mean something. Raises UnknownLabel, unless they are kept.

    `counts` are the labels with how many `unit` they stand on; `where` begins the error: `DIR has classes`.
    """
    mapped = {label: meaning(label, own) for label in sorted(counts)}
    strangers = {label: counts[label] for label, known in mapped.items() if known is None}
    if strangers and options.get(UNKNOWN_LABELS) != "keep":
        raise unknown_labels(f"{where} of unknown meaning", strangers, unit)
    return {label: known for label, known in mapped.items() if known}


def unknown_labels(where: str, counts: Mapping[str, int], unit: str) -> UnknownLabel:
    """Return the error for labels that nobody can know the meaning of; its hint guesses nothing."""
    first = next(iter(counts))
    return UnknownLabel(
        f"{where}: {listed((f'{label!r} ({n:,} {unit})' for label, n in counts.items()), 12)}.",
        "Write what each means in a TOML file and add --labels FILE: a table [labels] with a line such as "
        f'"{first}" = "..." for each, where ... is {", ".join(EMOTIONS)}, or other for rows without a label. '
        "--unknown-labels keep reads all of them without a label.",
    )


def _words(name: str) -> list[str]:
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return [word.casefold() for word in re.findall(r"[^\W_]+", apart)]


@functools.lru_cache(maxsize=4096)
def split_of(name: str) -> str | None:
    """Return the official split that a folder's name or a cell means, None where it means none.

    `train_set`, `Training Data`, `fer_train` and `test_labels` do; `train_val`, `happy_test` and `train_1` do not.
    """
    words = [word for word in _words(name) if word not in _OF_SPLITS]
    if whole := SPLIT_WORDS.get("".join(words)):
        return whole
    if not words:
        return None
    *before, last = words
    if glued := _GLUED.fullmatch(last):
        last = glued[1]
    if before and (last == "dev" or set(before) & SPLIT_WORDS.keys() or _spelled(" ".join(before))):
        return None
    return SPLIT_WORDS.get(last)


def looks_like_split(name: str) -> bool:
    """Return whether a name holds a word for a split and yet is not read as one."""
    return split_of(name) is None and not SPLIT_WORDS.keys().isdisjoint({*_words(name)} - {"dev"})


def splits_named(names: Iterable[str]) -> dict[str, str]:
    """Return which splits the names say, each with a name that does. Two splits are a contradiction."""
    return {split: name for name in names if (split := split_of(name))}


def both(found: Mapping[str, str]) -> str:
    """Return what contradicts each other, by meaning, for a message: `'angry' (anger) and 'Joy' (happiness)`."""
    return " and ".join(f"{word!r} ({means})" for means, word in found.items())


def told_splits(names: Iterable[str]) -> str:
    """Return, for the user to check, which names were read as which split, and which only look like one."""
    names = sorted(set(names))
    read = [f"{name} as {split_of(name)}" for name in names if split_of(name) not in (None, name.casefold())]
    near = [repr(name) for name in names if looks_like_split(name)]
    sentences = (
        f"Splits read by name: {listed(read)}." if read else "",
        f"Not read as splits: {listed(near)}." if near else "",
    )
    return " ".join(filter(None, sentences))
