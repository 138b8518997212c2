"""JAFFE: 213 pictures of ten Japanese women posing seven expressions, with what sixty viewers saw in them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ferdata.errors import BrokenSource, DatasetMissing
from ferdata.labels import EMOTIONS
from ferdata.running.plain_file import read_plain
from ferdata.sources import Layout, Licence, Option, Sample, Skipped, Source, broken, images_below, relative

POSED = {
    "AN": "anger",
    "DI": "disgust",
    "FE": "fear",
    "HA": "happiness",
    "NE": "neutral",
    "SA": "sadness",
    "SU": "surprise",
}
# The columns of the ratings table, in its own order; "neutral" was not among the words that viewers rated.
ADJECTIVES = {
    "HAP": "happiness",
    "SAD": "sadness",
    "SUR": "surprise",
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
}
TIE = "tied ratings"  # no word of the publishers'
COUNTS = dict(zip(POSED, (30, 29, 32, 31, 30, 31, 30), strict=True))
_MARK = "[A-Za-z][A-Za-z].[A-Za-z][A-Za-z][0-9].[0-9]*.*"
_NOTE = (
    "No official split: keep all pictures of one person in one split, as in leave-one-subject-out. Labels are the "
    "posed expressions; raters often saw another one, most of all for fear."
)

SOURCE = Source(
    name="jaffe",
    title="JAFFE (Japanese Female Facial Expression)",
    homepage="https://zenodo.org/record/3451524",
    licence=Licence(
        "JAFFE terms of use",
        "For non-commercial scientific research, with citation; the pictures may not be redistributed.",
    ),
    citation="""@inproceedings{Lyons1998Coding,
  author    = {Lyons, Michael and Akamatsu, Shigeru and Kamachi, Miyuki and Gyoba, Jiro},
  title     = {Coding Facial Expressions with Gabor Wavelets},
  booktitle = {IEEE International Conference on Automatic Face and Gesture Recognition (FG)},
  pages     = {200--205},
  year      = {1998},
  doi       = {10.1109/AFGR.1998.670949}
}
@misc{Lyons1998Japanese,
  author    = {Lyons, Michael and Kamachi, Miyuki and Gyoba, Jiro},
  title     = {The Japanese Female Facial Expression ({JAFFE}) Dataset},
  year      = {1998},
  doi       = {10.5281/zenodo.3451524}
}""",
    access="Researchers, for non-commercial use, on request through Zenodo.",
    obtain=(
        "Read the terms on the homepage: they list what a request must contain, and other requests are refused.",
        "Log in to Zenodo and send the request form of that record.",
        "Download the pictures and the file README_FIRST.txt, which holds the ratings.",
        "Unpack the pictures into one folder and put README_FIRST.txt into it or beside it.",
    ),
    place="data/jaffe/{README_FIRST.txt,jaffe/}",
    content="213 grey pictures, 256 x 256, of 10 women: six emotions and neutral, each rated on six adjectives",
    # Folders come first: where somebody sorted the pictures by person, one folder alone would pass for the set.
    layouts=tuple(
        Layout(name, (mark,), POSED | ADJECTIVES | {TIE: "no_majority"}, {"all": COUNTS}, _NOTE)
        for name, mark in (("official", f"*/{_MARK}"), ("flat", _MARK))
    ),
    options=(
        Option(
            "label_source",
            "Where labels come from: posed, the expression that the person was asked to pose; max_rating, the "
            "emotion that raters scored highest. Neutral poses stay neutral, since neutral was not rated.",
            "posed",
            ("posed", "max_rating"),
        ),
    ),
)

_NAME = re.compile(r"([A-Z]{2})\.(AN|DI|FE|HA|NE|SA|SU)(\d)\.(\d{1,3})", re.ASCII)
_PICTURE = re.compile(r"([A-Z]{2})[-.]([A-Z]{2}\d)", re.ASCII)


def samples(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Iterator[Sample | Skipped]:
    """Yield every picture, with its ratings where the table has them.

    The native label is the posed code of the file's name (`HA`), or, for `max_rating`, the adjective as the table's
    header writes it (`HAP`); a picture without ratings then has none. The table lists more pictures than there are
    files, so it is joined to the files and not they to it.
    """
    del layout  # both differ in folders alone
    by_rating = SOURCE.option(options, "label_source") == "max_rating"
    table = _table(base)
    if by_rating and table is None:
        raise DatasetMissing(
            f"There are JAFFE's pictures in {base}, but no README_FIRST.txt with the ratings.",
            "Download it from the same record and put it there, or use --label-source posed.",
        )
    ratings = _Ratings(table)
    seen: set[str] = set()
    for path in images_below(base):
        # Names come in either case, and with blanks before the extension.
        name = _NAME.fullmatch(path.stem.strip().upper())
        if name is None:
            yield Skipped(relative(path, base), "not a picture of the set by its name")
            continue
        key = name[0]
        if key in seen:
            yield Skipped(relative(path, base), "the same picture for the second time by its name")
            continue
        seen.add(key)
        rated = ratings.of(f"{name[1]}-{name[2]}{name[3]}", int(name[4]))
        yield Sample(
            key,
            relative(path, base),
            native_label=_highest(rated) if by_rating and name[2] != "NE" else name[2],
            ratings=tuple(map(rated.get, EMOTIONS)) if rated else None,
            subject=name[1],
        )


def _highest(rated: Mapping[str, float] | None) -> str | None:
    if rated is None:
        return None
    top = [adjective for adjective, emotion in ADJECTIVES.items() if rated[emotion] == max(rated.values())]
    return top[0] if len(top) == 1 else TIE


def _table(base: Path) -> Path | None:
    """Return the file of ratings, `README_FIRST.txt` or `A_README_FIRST.txt`, with the pictures or beside them."""
    text = "*.[Tt][Xx][Tt]"
    near = (p for found in (base.glob(text), base.glob(f"*/{text}"), base.parent.glob(text)) for p in sorted(found))
    return next((p for p in near if p.name.lower() in ("readme_first.txt", "a_readme_first.txt")), None)


@dataclass(frozen=True, slots=True)
class _Row:
    picture: str
    serial: int
    rated: Mapping[str, float]


class _Ratings:
    """The rows of the first table, that of six adjectives, by picture."""

    def __init__(self, path: Path | None) -> None:
        self.rows: dict[str, list[_Row]] = {}
        for row in _read(path) if path else ():
            self.rows.setdefault(row.picture, []).append(row)

    def of(self, picture: str, serial: int) -> Mapping[str, float] | None:
        """Return the ratings of a picture; its serial number decides where the table has the name twice."""
        rows = self.rows.get(picture, [])
        same = rows if len(rows) == 1 else [row for row in rows if row.serial == serial]
        return same[0].rated if len(same) == 1 else None


def _read(path: Path) -> Iterator[_Row]:
    """Yield the rows of eight cells, number, six ratings, name; the prose around them and the second table are not.

    The second table, a study without fear, has five ratings to a row. Raises BrokenSource on a rating that is none.
    """
    try:
        text = read_plain(path).decode("utf-8-sig", "replace")
    except OSError as error:
        raise BrokenSource(f"Cannot read {path}: {error.strerror}.", "Check the file's rights.") from None
    for line, cells in enumerate((ls.replace(",", " ").split() for ls in text.splitlines()), 1):
        if len(cells) != 2 + len(ADJECTIVES) or not cells[0].isdecimal():
            continue
        name = _PICTURE.fullmatch(cells[-1].upper())
        if name is None:
            continue
        try:
            values = [float(cell) for cell in cells[1:-1]]
        except ValueError:
            raise broken(path, line, f"{' '.join(cells[1:-1])!r}, expected six ratings") from None
        if not all(1 <= value <= 5 for value in values):
            raise broken(path, line, f"a rating outside 1..5 in {' '.join(cells[1:-1])!r}")
        yield _Row(f"{name[1]}-{name[2]}", int(cells[0]), dict(zip(ADJECTIVES.values(), values, strict=True)))
