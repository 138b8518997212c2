"""Emotions, taxonomies, vote policies, and the one function that derives every label column.

What a publisher wrote (`native_label`, `votes`) is kept for good; what training reads is derived here,
so that a map, a policy or a taxonomy is changed without reading an image again.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ferdata.errors import BadOption, UnknownLabel, choose_one, did_you_mean
from ferdata.running.plain_file import read_plain
from ferdata.running.text_file import parse_toml

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

# The canonical order is FER+'s own (microsoft/FERPlus, src/train.py).
EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
VOTE_COLUMNS = (*EMOTIONS, "unknown", "not_a_face")
# Why a row has no label. A native label maps to one of EMOTIONS or to one of these.
REASONS = ("unknown", "not_a_face", "no_majority", "other", "uncertain", "compound", "unlabelled")
POLICIES = ("majority", "probability", "crossentropy", "multi_target")

# One colour per emotion, everywhere; Okabe and Ito's set, told apart by colour-blind readers too.
COLOURS = {
    "neutral": "#7f7f7f",
    "happiness": "#e69f00",
    "surprise": "#56b4e9",
    "sadness": "#0072b2",
    "anger": "#d55e00",
    "disgust": "#009e73",
    "fear": "#cc79a7",
    "contempt": "#8c6d31",
}

# Words for the emotions in class folders and tables of labels: the everyday ones in English with the slips that were
# seen there, then German, French, Polish, Spanish and Chinese. A word that may mean two things is not among them
# (Spanish disgusto is trouble, Polish zły also bad); capitals and accents do not count.
ALIASES: Mapping[str, str] = {
    word: emotion
    for emotion, words in {
        "neutral": "neutral neutrality normal nuetral netural neutralität ausdruckslos neutre neutralny neutralna "
        "neutralne neutralność neutro neutra 中性 中立 无表情 無表情",
        "happiness": "happiness happy joy joyful smile smiling happyness freude fröhlich glücklich joie heureux "
        "heureuse radość szczęście szczęśliwy szczęśliwa wesoły wesoła alegría alegre felicidad feliz 高兴 高興 "
        "快乐 快樂 开心 開心",
        "surprise": "surprise surprised suprise suprised surprize surprized überraschung überrascht surpris "
        "zaskoczenie zaskoczony zaskoczona zdziwienie zdziwiony zdziwiona sorpresa sorprendido sorprendida 惊讶 驚訝 "
        "吃惊 吃驚 惊喜 驚喜",
        "sadness": "sadness sad sadnes trauer traurig traurigkeit tristesse triste smutek smutny smutna tristeza 悲伤 "
        "悲傷 伤心 傷心 难过 難過",
        "anger": "anger angry angery wut wütend ärger ärgerlich verärgert zorn zornig colère fâché fâchée złość gniew "
        "wściekłość rozgniewany ira enojo enojado enojada enfado enfadado enfadada 愤怒 憤怒 生气 生氣",
        "disgust": "disgust disgusted ekel angeekelt dégoût dégoûté dégoûtée wstręt obrzydzenie odraza asco asqueado "
        "asqueada 厌恶 厭惡",
        "fear": "fear fearful fearfull afraid scared angst ängstlich furcht peur effrayé effrayée apeuré strach "
        "przestraszony przestraszona miedo temor asustado asustada 恐惧 恐懼 害怕",
        "contempt": "contempt contemptuous verachtung verächtlich mépris méprisant pogarda desprecio 轻蔑 輕蔑 "
        "蔑视 蔑視 鄙视 鄙視",
    }.items()
    for word in words.split()
}
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})


def bare(word: str) -> str:
    """Return a word without capitals, accents and blanks around it."""
    letters = unicodedata.normalize("NFKD", word.casefold().strip())
    return "".join(c for c in letters if not unicodedata.combining(c)).replace("ł", "l")


SPELLINGS: Mapping[str, str] = {
    bare(form): emotion for word, emotion in ALIASES.items() for form in (word, word.translate(_UMLAUTS))
}


def spelled(word: str) -> str | None:
    """Return the emotion that a word is an everyday name of, None where it is none."""
    return SPELLINGS.get(bare(word))


# What `derive` reads.
DERIVED_FROM = ("dataset", "native_label", "votes", "ratings", "reviewed_label", "proposed_label")


@dataclass(frozen=True)
class Taxonomy:
    """A choice of classes: `mapping` takes each canonical emotion to its class; an absent one is left out.

    `classes` fixes the class order of training, of checkpoints and of every report.
    """

    name: str
    classes: tuple[str, ...]
    mapping: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Return the form that a manifest's metadata and a checkpoint carry."""
        return {"name": self.name, "classes": list(self.classes), "mapping": dict(self.mapping)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Taxonomy":
        """Rebuild a taxonomy from `as_dict`'s form."""
        return cls(data["name"], tuple(data["classes"]), dict(data["mapping"]))

    def colour(self, name: str) -> str:
        """Return the colour of a class: its own if it is an emotion, else that of the first emotion mapped to it."""
        emotion = next((e for e, to in self.mapping.items() if to == name), "neutral")
        return COLOURS.get(name, COLOURS[emotion])

    @property
    def left_out(self) -> tuple[str, ...]:
        """The emotions that this taxonomy has no class for, in canonical order."""
        return tuple(e for e in EMOTIONS if e not in self.mapping)


def _same(*emotions: str) -> dict[str, str]:
    return {e: e for e in emotions}


TAXONOMIES = {
    t.name: t
    for t in (
        Taxonomy("basic8", EMOTIONS, _same(*EMOTIONS)),
        Taxonomy("basic7", EMOTIONS[:7], _same(*EMOTIONS[:7])),
        # Surprise has no valence of its own, so it is left out.
        Taxonomy(
            "valence3",
            ("positive", "neutral", "negative"),
            {"happiness": "positive", "neutral": "neutral"}
            | dict.fromkeys(("sadness", "anger", "disgust", "fear", "contempt"), "negative"),
        ),
        Taxonomy("fer3", ("angry", "happy", "sad"), {"anger": "angry", "happiness": "happy", "sadness": "sad"}),
    )
}


def taxonomy(spec: str) -> Taxonomy:
    """Return the taxonomy that `spec` names.

    `spec` is a built-in name, a name with overrides (`basic7:contempt=disgust`), or a TOML file with
    `classes = [...]` and a table `[mapping]` of emotion = class. Raises BadOption.
    """
    if spec.endswith(".toml"):
        return _taxonomy_file(Path(spec))
    name, _, overrides = spec.partition(":")
    if name not in TAXONOMIES:
        raise BadOption(
            f"There is no taxonomy {name!r}.",
            did_you_mean(name, TAXONOMIES)
            + f"Choose one of {', '.join(TAXONOMIES)}, or give a TOML file with classes and a [mapping].",
        )
    chosen = TAXONOMIES[name]
    if not overrides:
        return chosen
    pairs = dict(pair.partition("=")[::2] for pair in overrides.split(","))
    return _checked(Taxonomy(spec, chosen.classes, {**chosen.mapping, **pairs}), spec)


def _taxonomy_file(path: Path) -> Taxonomy:
    try:
        data = parse_toml(read_plain(path))
        chosen = Taxonomy(str(data.get("name", path.stem)), tuple(data["classes"]), dict(data["mapping"]))
    except OSError as error:
        raise BadOption(f"Cannot read the taxonomy {path}: {error.strerror}.", "Check the path.") from None
    except (KeyError, TypeError, ValueError) as error:
        raise BadOption(
            f"{path} is not a taxonomy: {error}.",
            'It needs `classes = ["happy", ...]` and a table [mapping] with lines like `happiness = "happy"`.',
        ) from None
    return _checked(chosen, str(path))


def _checked(chosen: Taxonomy, where: str) -> Taxonomy:
    strangers = [e for e in chosen.mapping if e not in EMOTIONS]
    homeless = [c for c in chosen.mapping.values() if c not in chosen.classes]
    empty = [c for c in chosen.classes if c not in chosen.mapping.values()]
    twice = sorted({c for c in chosen.classes if chosen.classes.count(c) > 1})
    if strangers or homeless or empty or twice:
        raise BadOption(
            f"The taxonomy {where} is inconsistent: unknown emotions {strangers}, classes not listed {homeless}, "
            f"classes that no emotion maps to {empty}, classes listed twice {twice}.",
            _meant(strangers, homeless, chosen.classes)
            + f"Emotions are {', '.join(EMOTIONS)}; every class must be listed once and mapped to.",
        )
    return chosen


def _meant(strangers: Sequence[str], homeless: Sequence[str], classes: Sequence[str]) -> str:
    """Return what the first name of an emotion or a class that there is not may be meant for."""
    if strangers:
        return did_you_mean(strangers[0], EMOTIONS)
    return did_you_mean(homeless[0], classes) if homeless else ""


def tally(votes: "NDArray[np.int16]", policy: str) -> "tuple[NDArray[np.int8], NDArray[np.float32]]":
    """Turn annotator votes into labels as FER+'s reference reader does.

    `votes` is int (n, 10) in the order of VOTE_COLUMNS. Returns `label`, int8 (n,): 0..7 an emotion, 8 unknown,
    9 not a face, -1 no majority; and `dist`, float32 (n, 8), the target distribution (zeros where no emotion won).
    Rules: microsoft/FERPlus, src/ferplus.py. Single votes are noise and count as none; then

    - majority: the winner needs more than half of what is left;
    - crossentropy and probability (one distribution, drawn from differently in training): winners are taken from
      the top until they hold three quarters, or are three, or unknown/not-a-face comes up;
    - multi_target: every column with 30 % or more.

    Winners that together hold no more than half are no majority. Raises BadOption on an unknown policy.
    """
    import numpy as np

    if policy not in POLICIES:
        raise BadOption(f"There is no vote policy {policy!r}.", choose_one(policy, POLICIES))
    kept = np.where(votes <= 1, 0, votes).astype(np.int32)
    total = kept.sum(axis=1)
    if policy == "majority":
        chosen = np.where(kept == kept.max(axis=1, keepdims=True), kept, 0)
        # A tie at the top cannot hold a strict majority, so the winner is one column.
        valid = 2 * kept.max(axis=1) > total
    elif policy == "multi_target":
        chosen = np.where(10 * kept >= 3 * total[:, None], kept, 0)
        valid = 2 * chosen.sum(axis=1) > total
    else:
        chosen, count = _top_down(kept, total)
        valid = (2 * chosen.sum(axis=1) > total) & (count <= 3)
    label = np.where(valid, chosen.argmax(axis=1), -1).astype(np.int8)
    is_emotion = (label >= 0) & (label < len(EMOTIONS))
    dist = np.where(is_emotion[:, None], chosen[:, : len(EMOTIONS)], 0).astype(np.float32)
    return label, dist / np.maximum(dist.sum(axis=1, keepdims=True), 1)


def _top_down(kept: "NDArray[np.int32]", total: "NDArray[np.int32]") -> "tuple[NDArray[np.int32], NDArray[np.int32]]":
    """Accept the largest columns, ties in column order; at most three rounds, since each accepts one or more."""
    import numpy as np

    left = kept.copy()
    chosen = np.zeros_like(kept)
    accepted = np.zeros(len(kept), np.int32)  # votes, for the three quarters
    count = np.zeros(len(kept), np.int32)
    stopped = np.zeros(len(kept), bool)
    for _ in range(3):
        going = ~stopped & (4 * accepted < 3 * total) & (count < 3)
        top = left.max(axis=1)
        for column in range(kept.shape[1]):
            take = going & ~stopped & (left[:, column] == top)
            others = chosen.sum(axis=1) > 0
            chosen[take, column] = top[take]
            left[take, column] = 0
            accepted += np.where(take, top, 0)
            count += take
            if column >= len(EMOTIONS):
                # Unknown or not-a-face ends the search; behind other winners it does not count itself.
                chosen[take & others, column] = 0
                count -= take & others
                stopped |= take
    return chosen, count


def derive(
    table: "pa.Table", maps: Mapping[str, Mapping[str, str]], policy: str, classes: Taxonomy
) -> "dict[str, pa.Array]":
    """Derive `label`, `label_dist`, `label_reason` and `target` for every row of `table`.

    `table` has the columns of DERIVED_FROM; `maps` takes each dataset's native labels to an emotion or a reason. Votes,
    where a row has them, decide over the native label. What a net proposes decides over both, and a reviewer over all,
    but of `target` alone. Rows without the column `proposed_label`, as an adapter gives them, have nothing proposed.
    Ratings give a soft label, and no label. Raises UnknownLabel for a native label that its dataset's map lacks.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    names = [*VOTE_COLUMNS, *REASONS[2:]]  # 0..7 emotions, then reasons
    outcome = _from_native(table, maps, names)
    dist = np.zeros((table.num_rows, len(EMOTIONS)), np.float32)
    votes = table["votes"].combine_chunks()
    voted = np.flatnonzero(pc.is_valid(votes).to_numpy(zero_copy_only=False))
    if len(voted):
        given = votes.drop_null().flatten().to_numpy(zero_copy_only=False).reshape(-1, len(VOTE_COLUMNS))
        label, dist[voted] = tally(given, policy)
        outcome[voted] = np.where(label < 0, names.index("no_majority"), label)
    pick = pa.array(outcome.astype(np.int32))
    label_column = pa.array([*EMOTIONS] + [None] * (len(names) - 8), pa.string()).take(pick)
    decided = pc.coalesce(table["reviewed_label"].combine_chunks(), label_column)
    if "proposed_label" in table.column_names:
        decided = pc.coalesce(table["reviewed_label"], table["proposed_label"], label_column).combine_chunks()
    position = pc.index_in(decided, pa.array(EMOTIONS))
    target = pa.array([classes.mapping.get(e) for e in EMOTIONS], pa.string()).take(position)
    rated = np.flatnonzero(pc.and_(table["ratings"].is_valid(), table["votes"].is_null()).to_numpy())
    if len(rated):
        dist[rated] = _from_ratings(table["ratings"].combine_chunks().take(pa.array(rated)))
    has_dist = dist.any(axis=1)
    ends = np.concatenate([[0], np.cumsum(has_dist * len(EMOTIONS))]).astype(np.int32)
    soft = pa.ListArray.from_arrays(pa.array(ends), pa.array(dist[has_dist].ravel()), mask=pa.array(~has_dist))
    return {
        "label": label_column,
        "label_dist": soft,
        "label_reason": pa.array([None] * 8 + names[8:], pa.string()).take(pick),
        "target": target,
    }


def _from_ratings(ratings: "pa.ListArray") -> "NDArray[np.float32]":
    """Return, as shares, how far each emotion was rated above 1, the scale's "not at all"; unrated ones get 0."""
    import numpy as np
    import pyarrow.compute as pc

    above = pc.fill_null(ratings.flatten(), 1).to_numpy(zero_copy_only=False).reshape(-1, len(EMOTIONS)) - 1
    above = np.maximum(above, 0)
    return np.asarray(above / np.maximum(above.sum(axis=1, keepdims=True), 1e-9), np.float32)


def _from_native(table: "pa.Table", maps: Mapping[str, Mapping[str, str]], names: list[str]) -> "NDArray[np.intp]":
    """Return, for each row, the position in `names` of what its native label means."""
    import numpy as np

    unlabelled = names.index("unlabelled")
    dataset = table["dataset"].combine_chunks().dictionary_encode()
    native = table["native_label"].combine_chunks().dictionary_encode()
    natives = native.dictionary.to_pylist()
    voted = table["votes"].is_valid().combine_chunks().to_numpy(zero_copy_only=False)
    code = native.indices.fill_null(len(natives)).to_numpy(zero_copy_only=False)
    source = dataset.indices.to_numpy(zero_copy_only=False)
    meaning = np.full((len(dataset.dictionary), len(natives) + 1), -1)
    meaning[:, -1] = unlabelled
    for d, name in enumerate(dataset.dictionary.to_pylist()):
        for n, word in enumerate(natives):
            if word in maps.get(name, {}):
                meaning[d, n] = names.index(maps[name][word])
    outcome = meaning[source, code]
    lost = np.flatnonzero((outcome < 0) & ~voted)
    if len(lost):
        first = int(lost[0])
        known = ", ".join(maps.get(table["dataset"][first].as_py(), {})) or "none"
        raise UnknownLabel(
            f"{len(lost)} rows have a label that is not in the label map; the first is "
            f"{table['native_label'][first].as_py()!r} of {table['dataset'][first].as_py()}.",
            f"Known labels: {known}. Check that this is the release you mean.",
        )
    return np.where(outcome < 0, unlabelled, outcome)
