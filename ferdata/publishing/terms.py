"""What each dataset's terms allow to be passed on, as declared by its adapter, recorded in the manifest, or stated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ferdata.adapters import load, names
from ferdata.errors import BadOption, choose_one, did_you_mean, listed
from ferdata.manifest import Manifest
from ferdata.manifest.metadata import steps
from ferdata.sources.declaration import Licence

NOT_KNOWN = "not known"
_CC = "https://creativecommons.org"
# Licences that allow redistribution of what was cropped and labelled anew, as the Hub names them: where their text is,
# and whether commercial use is allowed.
LICENCES: Mapping[str, tuple[str, bool]] = {
    "cc0-1.0": (f"{_CC}/publicdomain/zero/1.0/", True),
    "cc-by-4.0": (f"{_CC}/licenses/by/4.0/", True),
    "cc-by-sa-4.0": (f"{_CC}/licenses/by-sa/4.0/", True),
    "cc-by-nc-4.0": (f"{_CC}/licenses/by-nc/4.0/", False),
    "cc-by-nc-sa-4.0": (f"{_CC}/licenses/by-nc-sa/4.0/", False),
    "odc-by": ("https://opendatacommons.org/licenses/by/1-0/", True),
    "odbl": ("https://opendatacommons.org/licenses/odbl/1-0/", True),
    "pddl": ("https://opendatacommons.org/licenses/pddl/1-0/", True),
    "mit": ("https://opensource.org/license/mit", True),
    "apache-2.0": ("https://www.apache.org/licenses/LICENSE-2.0", True),
}


@dataclass(frozen=True)
class Terms:
    """One dataset of a manifest: whose it is, and what its terms allow (None: not known).

    `annotations` says whether its publishers' votes and ratings may be passed on without the pixels; `identifier` is
    the licence as the Hub names it, where the one who publishes has stated it.
    """

    dataset: str
    title: str
    homepage: str
    citation: str
    licence: str
    words: str
    redistribution: bool | None
    commercial: bool | None
    annotations: bool
    identifier: str | None = None

    @property
    def where(self) -> str:
        """The address of the licence, or of the dataset; else the licence's name."""
        return LICENCES[self.identifier][0] if self.identifier else self.homepage or self.licence


def of_sources(opened: Manifest, stated: Sequence[str] = ()) -> tuple[Terms, ...]:
    """Return the terms of each dataset in a manifest; of what was recorded and is declared today, the stricter holds.

    `stated` are `NAME=LICENCE`, for datasets whose terms nobody knows here. Raises BadOption.
    """
    adapters = {s["dataset"]: s["adapter"] for _, s in steps(opened.metadata["lineage"], "lineage") if "adapter" in s}
    found = {}
    for name, source in opened.sources.items():
        declared = _declared(adapters.get(name))
        allowed = [source.get("redistribution")] + ([declared.redistribution] if declared else [])
        commercial = [source.get("commercial")] + ([declared.commercial] if declared else [])
        found[name] = Terms(
            dataset=name,
            title=source["title"] or name,
            homepage=source["homepage"],
            citation=source["citation"].strip(),
            licence=source["licence"] or NOT_KNOWN,
            words=declared.terms if declared else "",
            redistribution=_stricter(allowed),
            commercial=_stricter(commercial),
            annotations=_stricter(allowed) is True or bool(declared and declared.annotations),
        )
    for pair in stated:
        name, _, licence = pair.partition("=")
        found[name] = _with_licence(found, name, licence)
    return tuple(found.values())


def forbidding(terms: Sequence[Terms]) -> str:
    """Return the datasets whose pixels may not be passed on, and under which licence; "" where all may."""
    return listed(f"{t.title} ({t.dataset}: {t.licence})" for t in terms if t.redistribution is not True)


def remedy(terms: Sequence[Terms]) -> str:
    """Return what to do about pixels that may not be passed on."""
    unknown = [t.dataset for t in terms if t.redistribution is None]
    way = "Leave out --pixels: everything but the pixels is published then, and `ferdata rehydrate` rebuilds the rest."
    if unknown and all(t.redistribution is not False for t in terms):
        own = " ".join(f"--licence {name}=cc-by-4.0" for name in unknown)
        way += f" If the images are yours to license, state how: {own}"
    return way


def _declared(adapter: str | None) -> Licence | None:
    if adapter is None or adapter not in names():
        return None
    try:
        return load(adapter).SOURCE.licence
    except BadOption:  # another package's, and broken: what the manifest says holds
        return None


def _stricter(allowed: Sequence[bool | None]) -> bool | None:
    return False if False in allowed else None if None in allowed else True


def _with_licence(found: Mapping[str, Terms], name: str, licence: str) -> Terms:
    """Return the terms of a dataset under the licence that its owner states. Raises BadOption."""
    asked = f"--licence {name}={licence}"
    if name not in found:
        raise BadOption(f"{asked}: the manifest has no dataset {name!r}.", choose_one(name, found))
    if licence not in LICENCES:
        raise BadOption(
            f"{asked}: this is not a licence that ferdata knows to allow redistribution.",
            f"{did_you_mean(licence, LICENCES)}Use --licence NAME=LICENCE with one of {', '.join(LICENCES)}.",
        )
    terms = found[name]
    if terms.redistribution is not None:
        does = "allow" if terms.redistribution else "do not allow"
        raise BadOption(
            f"{asked}: the terms of {terms.title} are known ({terms.licence}), and {does} redistribution.",
            "Leave it out: a licence can be stated only for datasets whose terms are not known here, such as your own.",
        )
    return replace(
        terms,
        licence=licence,
        words="Stated by whoever published this folder.",
        redistribution=True,
        commercial=LICENCES[licence][1],
        annotations=True,
        identifier=licence,
    )
