"""Oulu-CASIA: six expressions of 80 people, filmed by two cameras under three lights, from neutral to the peak."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ferdata.errors import BrokenSource
from ferdata.sources import Layout, Licence, Option, Sample, Skipped, Source, images_below, relative
from ferdata.sources.spelling import declared_label, in_any_case, spelled

EMOTIONS = {e.capitalize(): e for e in ("anger", "disgust", "fear", "happiness", "sadness", "surprise")}
FIRST = "first frame"  # no folder of the publishers' is called neutral, so no word of theirs is borrowed
CAMERAS = ("VL", "NI")
LIGHTS = ("Strong", "Weak", "Dark")
PEOPLE = 80
NAMES = r"\d{3}\.jpeg"
COUNTS = {"all": dict.fromkeys(EMOTIONS, 3 * PEOPLE)}
NOTE = (
    "No official split: keep all frames of one person in one split. Counts are for the last three frames, visible "
    "light, strong illumination. "
)

SOURCE = Source(
    name="oulu_casia",
    title="Oulu-CASIA NIR&VIS facial expression database",
    homepage="https://www.oulu.fi/en/university/faculties-and-units/faculty-information-technology-and-electrical-engineering/center-for-machine-vision-and-signal-analysis",
    licence=Licence("Oulu-CASIA licence agreement", "For research only, under an agreement with its owners."),
    citation="""@article{Zhao2011Facial,
  author  = {Zhao, Guoying and Huang, Xiaohua and Taini, Matti and Li, Stan Z. and Pietik{\\"a}inen, Matti},
  title   = {Facial expression recognition from near-infrared videos},
  journal = {Image and Vision Computing},
  volume  = {29},
  number  = {9},
  pages   = {607--619},
  year    = {2011}
}""",
    access="Researchers who sign the agreement with the University of Oulu.",
    obtain=(
        "Write to the owners at the University of Oulu (see homepage) from an address of your institution.",
        "Sign the agreement that they send, and return it.",
        "Download the images, whole (OriginalImg) or cropped to the face (Acropped), and unpack them.",
    ),
    place="data/oulu_casia/OriginalImg/{VL,NI}/{Strong,Weak,Dark}/P001/Anger/",
    content="480 sequences of 80 people under each of three lights and two cameras; six expressions, neutral at first",
    layouts=(
        Layout(
            "official",
            ("*/[VN][LI]/[SWD]*/P[0-9][0-9][0-9]/*",),
            EMOTIONS | {FIRST: "neutral"},
            COUNTS,
            NOTE + "If whole and cropped images are both there, --faces chooses which to read.",
            names=NAMES,
        ),
        Layout(
            "one-set",
            ("[VN][LI]/[SWD]*/P[0-9][0-9][0-9]/*",),
            EMOTIONS | {FIRST: "neutral"},
            COUNTS,
            NOTE + "Only one of the sets of images.",
            names=NAMES,
        ),
    ),
    options=(
        Option(
            "frames",
            "Which frames of a sequence: last3, as in most papers; peak, the last one; all, which labels also the "
            "nearly neutral first frames with the emotion; first-neutral, last3 and the first frame as neutral.",
            "last3",
            ("last3", "peak", "all", "first-neutral"),
        ),
        Option("camera", "Which camera: VL, visible light; NI, near infrared; or both.", "VL", (*CAMERAS, "both")),
        Option("light", "Which illumination, or all three.", "Strong", (*LIGHTS, "all")),
        Option(
            "faces",
            "Which set, if there are several: original, the whole images; cropped, the faces.",
            "original",
            ("original", "cropped"),
        ),
    ),
)


@dataclass(frozen=True)
class _Clip:
    """One sequence: `place` is camera, light, person and emotion."""

    place: tuple[str, str, str, str]
    frames: tuple[Path, ...]


def samples(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Iterator[Sample | Skipped]:
    """Yield the chosen frames of every sequence that the options ask for; the others are not rows of this choice."""
    frames = SOURCE.option(options, "frames") or "last3"
    camera, light = SOURCE.option(options, "camera"), SOURCE.option(options, "light")
    folder = base if layout.name == "one-set" else _set(base, SOURCE.option(options, "faces") == "cropped")
    cameras = [c for c in CAMERAS if camera in (c, "both")]
    lights = [x for x in LIGHTS if light in (x, "all")]
    wanted = ((c, x, spelled(folder, f"{c}/{x}")) for c in cameras for x in lights)
    found = [condition for condition in wanted if condition[2].is_dir()]
    if not found:
        raise BrokenSource(
            f"{folder} holds no {' or '.join(cameras)} under {' or '.join(lights)} light.",
            "Unpack it, or choose with --camera and --light what is there.",
        )
    for condition in found:
        for clip in _clips(*condition, layout):
            if isinstance(clip, Skipped):
                yield clip
            else:
                yield from _chosen(base, clip, frames)


def _set(base: Path, cropped: bool) -> Path:
    """Return the folder of whole or of cut images; what there is alone is taken, whichever it is."""
    sets = sorted({path.parent for camera in CAMERAS for path in base.glob(in_any_case(f"*/{camera}"))})
    fitting = [folder for folder in sets if folder.name.casefold().endswith("acropped") == cropped] or sets
    if len(fitting) > 1:
        raise BrokenSource(
            f"{base} holds several sets of images: {', '.join(folder.name for folder in fitting)}.",
            "Give the folder of one of them with --root.",
        )
    return fitting[0]


def _clips(camera: str, light: str, condition: Path, layout: Layout) -> Iterator[_Clip | Skipped]:
    clips: dict[tuple[str, str], list[Path]] = {}
    for path in images_below(condition):
        inner = path.relative_to(condition).parts
        if len(inner) == 3 and path.stem.isdecimal() and len(path.stem) < 10:
            clips.setdefault((inner[0].upper(), declared_label(inner[1], layout)), []).append(path)
        else:
            yield Skipped("/".join((camera, light, *inner)), "not a frame of a sequence by its name")
    for (person, emotion), paths in sorted(clips.items()):
        yield _Clip((camera, light, person, emotion), tuple(sorted(paths, key=lambda p: int(p.stem))))


def _chosen(base: Path, clip: _Clip, policy: str) -> Iterator[Sample]:
    last = {"peak": 1, "all": len(clip.frames)}.get(policy, 3)
    chosen = clip.frames[-last:]
    first = clip.frames[0]
    if policy == "first-neutral" and first not in chosen:
        yield _sample(base, clip, first)._replace(native_label=FIRST)
    yield from (_sample(base, clip, path) for path in chosen)


def _sample(base: Path, clip: _Clip, path: Path) -> Sample:
    _, _, person, emotion = clip.place
    sequence = "/".join(clip.place)
    return Sample(
        f"{sequence}/{path.stem}",
        relative(path, base),
        native_label=emotion,
        subject=person,
        sequence=sequence,
        frame=int(path.stem),
    )
