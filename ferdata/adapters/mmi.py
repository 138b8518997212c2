"""MMI: posed and induced expressions on video, from neutral over the apex to neutral again, and some still images.

Everybody downloads the sessions of their own choice, so nothing is counted against a published total. The frames of
action-unit markers count from 1.
"""

import contextlib
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ferdata.errors import BrokenSource, NotAFile
from ferdata.running.plain_file import must_be_plain, read_plain
from ferdata.sources import Frame, Layout, Licence, Option, Sample, Skipped, Source, is_image, relative
from ferdata.sources.left_out import NOTES
from ferdata.sources.spelling import in_any_case

CODES = dict(zip("123456", ("anger", "disgust", "fear", "happiness", "sadness", "surprise"), strict=True))
FIRST = "first frame"  # no code of the publishers' means neutral, so none is borrowed
LABELS = CODES | {FIRST: "neutral"}
UNITS = "-oao_aucs.xml"
VIDEO_SUFFIXES = (".avi", ".mp4", ".mpg", ".mpeg", ".mov")
PROFILE, DUAL = "1", "2"
PARTS = {
    "whole": (0.0, 0.0, 1.0, 1.0),
    "left": (0.0, 0.0, 0.5, 1.0),
    "right": (0.5, 0.0, 0.5, 1.0),
}
ONSET, APEX, OFFSET = "1", "2", "3"  # of a marker's Type, by the account of one public reader

SOURCE = Source(
    name="mmi",
    title="MMI Facial Expression Database",
    homepage="https://mmifacedb.eu",
    licence=Licence(
        "MMI end user licence agreement", "For research under a signed agreement; it may not be redistributed."
    ),
    citation="""@inproceedings{Pantic2005Web,
  author    = {Pantic, Maja and Valstar, Michel and Rademaker, Ron and Maat, Ludo},
  title     = {Web-based database for facial expression analysis},
  booktitle = {IEEE International Conference on Multimedia and Expo (ICME)},
  year      = {2005},
  doi       = {10.1109/ICME.2005.1521424}
}
@inproceedings{Valstar2010Induced,
  author    = {Valstar, Michel and Pantic, Maja},
  title     = {Induced Disgust, Happiness and Surprise: an Addition to the MMI Facial Expression Database},
  booktitle = {LREC Workshop on EMOTION},
  year      = {2010}
}""",
    access="Researchers with an account who sign the agreement.",
    obtain=(
        "Register on the homepage, under accounts, and print the agreement.",
        "Sign it and send it as the site describes; wait until the account is opened.",
        "Search for sessions with emotion labels, add them to the download list and fetch the archive.",
        "Unpack it; several downloads may be in one folder, each in its own subfolder.",
    ),
    place="data/mmi/<download>/Sessions/<id>/",
    content="over 2,000 videos and 500 stills of 50 to 75 people; the labelled ones show six emotions",
    layouts=(
        Layout(
            "downloads",
            ("*/Sessions/*/session.xml",),
            LABELS,
            {},
            "Everybody downloads a different selection of sessions, without an official split: counts do not compare "
            "with published ones. Keep all frames of one person in one split.",
        ),
        Layout(
            "sessions",
            ("*/session.xml",),
            LABELS,
            {},
            "The sessions of one download. No official split: keep all frames of one person in one split.",
        ),
    ),
    options=(
        Option(
            "frames",
            "Which frames of a video: apex, from the action-unit markers, else the middle of the video; "
            "middle-third, all frames around it; first-neutral, apex and the first frame as neutral.",
            "apex",
            ("apex", "middle-third", "first-neutral"),
        ),
        Option("every", "In the middle third, read every n-th frame.", "1", ("1", "2", "5", "10")),
        Option(
            "views",
            "Which cameras: frontal, all pictures with a frontal face, also those with a mirror (dual view); "
            "front-only, without the mirror; all, also view 1, which is assumed to be the profile.",
            "frontal",
            ("frontal", "front-only", "all"),
        ),
        Option(
            "dual",
            "Which half of a picture with a mirror to use; the dataset does not say which one is the frontal face: "
            "look first.",
            "whole",
            tuple(PARTS),
        ),
        Option(
            "turn",
            "Clockwise quarter turns for frontal videos without action units, some of which are reported to be "
            "rotated.",
            "0",
            ("0", "1", "2", "3"),
        ),
    ),
)


def prepare(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Layout:
    """Return the layout with every emotion code beyond the six, for which no names are published, as other."""
    del options
    found: set[str] = set()
    for folder in _folders(base, layout):
        with contextlib.suppress(BrokenSource, NotAFile):  # `samples` names it
            found |= {code for _, code in _codes(folder)}
    beyond = sorted(code for code in found if code.isdecimal() and int(code[:10]) > len(CODES))
    return replace(layout, labels=LABELS | dict.fromkeys(beyond, "other"))


def samples(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Iterator[Sample | Skipped]:
    """Yield the chosen frames of every session, and its stills."""
    choice = _Choice(
        base,
        SOURCE.option(options, "frames") or "apex",
        int(SOURCE.option(options, "every") or 1),
        SOURCE.option(options, "views") or "frontal",
        PARTS[SOURCE.option(options, "dual") or "whole"],
        int(SOURCE.option(options, "turn") or 0),
    )
    seen: dict[str, Path] = {}
    for folder in _folders(base, layout):
        if folder.name in seen:
            yield Skipped(relative(folder, base), f"session of another download too ({seen[folder.name].parts[-3]})")
            continue
        seen[folder.name] = folder
        yield from choice.session(folder)
    for folder in _without_session(base, layout):
        files = _files(folder)
        for path in files:
            yield Skipped(relative(path, base), "in a folder without session.xml")
        if not files:
            yield Skipped(relative(folder, base), "a folder without session.xml")


def _folders(base: Path, layout: Layout) -> list[Path]:
    """Return the sessions' folders: by number, where their names are numbers."""
    found = {path.parent for path in base.glob(in_any_case(layout.marks[0])) if not path.parent.name.startswith(".")}
    return sorted(found, key=lambda p: (p.parent, p.name.zfill(12)))


def _without_session(base: Path, layout: Layout) -> list[Path]:
    """Return the folders beside the sessions' that have no session.xml."""
    beside = base.glob(in_any_case(layout.marks[0].rpartition("/")[0]))
    others = {path for path in beside if path.is_dir() and not path.name.startswith((".", "__"))}
    return sorted(others - set(_folders(base, layout)))


def _files(folder: Path) -> list[Path]:
    """Return the videos and stills in a session's folder."""
    files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    return [path for path in files if path.suffix.lower() in VIDEO_SUFFIXES or is_image(path.name)]


class _Strict(ET.TreeBuilder):
    """Builds a tree, but never of what declares entities: a file of a stranger's may unfold to gigabytes."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        """Refuse. The parser calls this before it reads any declaration."""
        del pubid, system
        raise ET.ParseError(f"a DOCTYPE ({name}), which no file of the dataset has")


def _parse(path: Path) -> ET.Element:
    try:
        return ET.fromstring(read_plain(path), ET.XMLParser(target=_Strict()))
    except (ET.ParseError, OSError, ValueError, LookupError) as error:
        raise BrokenSource(
            f"Cannot read {path}: {error}.", "The file is damaged; download the session again."
        ) from None


def _codes(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield (stem, emotion code) of the session's label files; most sessions have none."""
    for path in sorted(folder.glob("[!.]*.xml")):
        if path.name != "session.xml" and not path.name.endswith(UNITS):
            for tag in _parse(path).iter("Metatag"):
                if tag.get("Name") == "Emotion" and (value := (tag.get("Value") or "").strip()):
                    yield path.stem, value


@dataclass(frozen=True)
class _Unit:
    """One action unit: the frames, from 1, in which it is there, and those of its apex."""

    name: str
    start: int
    end: int
    apex: float


def _units(path: Path) -> list[_Unit]:
    found = []
    for unit in _parse(path).iter("ActionUnit"):
        markers = [(marker.get("Type"), _frame(marker.get("Frame"), path)) for marker in unit.iter("Marker")]
        if not markers:
            continue
        frames = [frame for _, frame in markers]
        # The first marker may only say that the unit is not there yet.
        active = [frame for kind, frame in markers if kind in (ONSET, APEX, OFFSET)] or frames
        apex = [frame for kind, frame in markers if kind in (APEX, OFFSET)] or active
        found.append(_Unit(f"AU{unit.get('Number')}", min(active), max(frames), (min(apex) + max(apex)) / 2))
    return found


def _frame(text: str | None, path: Path) -> int:
    if text is None or not text.strip().isdecimal() or not 0 < int(text[:10]) < 1_000_000_000:
        raise BrokenSource(f"{path}: a marker at frame {text!r}.", "Frames count from 1; download the session again.")
    return int(text)


_SUBJECT = re.compile(r"(S\d+)-", re.ASCII)


@dataclass(frozen=True)
class _Choice:
    """What the options ask for."""

    base: Path
    frames: str
    every: int
    views: str
    part: tuple[float, float, float, float]
    turn: int

    def session(self, folder: Path) -> Iterator[Sample | Skipped]:
        """Yield the rows of one session."""
        files = _files(folder)
        stills = [path for path in files if is_image(path.name)]
        if not files:
            yield Skipped(relative(folder, self.base), "a session without a video or an image")
            return
        try:
            codes, views = dict(_codes(folder)), _views(folder / "session.xml")
        except (BrokenSource, NotAFile) as error:  # of one session alone
            yield from (Skipped(relative(path, self.base), NOTES, error.message) for path in files)
            return
        videos = [path for path in files if path not in stills]
        for path in (*videos, *stills):
            key = f"{folder.name}/{path.stem}"
            view = views.get(path.name, views.get(""))
            if (view == PROFILE and self.views != "all") or (view == DUAL and self.views == "front-only"):
                yield Skipped(key, "view 1, taken to be a profile" if view == PROFILE else "a dual view")
                continue
            # Where there is one label and one picture, their names need not agree.
            code = codes.get(path.stem) or (next(iter(codes.values())) if len(codes) == 1 else None)
            subject = _SUBJECT.match(path.name)
            row = Sample(key, relative(path, self.base), code, subject=subject and subject[1], sequence=folder.name)
            if path in stills:
                yield row._replace(key=f"{key}{path.suffix.lower()}")
            else:
                yield from self._video(path, row, view)

    def _video(self, path: Path, row: Sample, view: str | None) -> Iterator[Sample | Skipped]:
        count = _count(path)
        if not count:
            yield Skipped(row.key, "a video that cannot be read")
            return
        marked = path.with_name(path.stem + UNITS)
        try:
            units = _units(marked) if marked.is_file() else []
        except BrokenSource as error:
            yield Skipped(relative(path, self.base), NOTES, error.message)
            return
        part = self.part if view == DUAL else PARTS["whole"]
        turn = 0 if view == DUAL or marked.is_file() else self.turn
        for number, label in self._numbers(count, units, row.native_label):
            # Only a file of markers says which units are there.
            active = tuple((unit.name, None) for unit in units if unit.start <= number <= unit.end)
            yield row._replace(
                key=f"{row.key}/{number:05d}",
                image=Frame(str(row.image), number - 1, part, turn),
                native_label=label,
                action_units=active if marked.is_file() else None,
                frame=number,
            )

    def _numbers(self, count: int, units: list[_Unit], code: str | None) -> list[tuple[int, str | None]]:
        """Return the frames to take, counted from 1, and what each is labelled."""
        if self.frames == "middle-third":
            return [(n, code) for n in range(count // 3 + 1, count - count // 3 + 1, self.every)]
        apexes = sorted(unit.apex for unit in units)
        apex = round(apexes[len(apexes) // 2]) if apexes else (count + 1) // 2
        first = [(1, FIRST)] if self.frames == "first-neutral" and code is not None and min(apex, count) > 1 else []
        return [*first, (min(apex, count), code)]


def _count(path: Path) -> int:
    """Return how many frames a video has, 0 where it cannot be read."""
    from ferdata.images import UnreadableImage, Video

    try:
        must_be_plain(path)
        return Video(path).frames
    except (UnreadableImage, OSError, NotAFile):
        return 0


def _views(path: Path) -> dict[str, str | None]:
    """Return each file's view as session.xml tells it; under the empty name, that of the first track."""
    views: dict[str, str | None] = {}
    for track in _parse(path).iter("track"):
        views.setdefault("", track.get("view"))
        if name := track.get("filename"):
            views[name] = track.get("view")
    return views
