"""Ingest: one dataset's folder or archive in, one manifest out. The only step that runs adapters."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from ferdata import labels, manifest
from ferdata.adapters import Adapter, load, looks_like
from ferdata.errors import BadOption, BrokenSource, NotThisDataset, choose_one, did_you_mean
from ferdata.images import VERSION
from ferdata.known import Known, Lookup, Recognised, indexes
from ferdata.manifest import checksums, rejects
from ferdata.manifest.resume import Partial
from ferdata.manifest.safe_paths import seen_from
from ferdata.running.engine import ENGINES, Engine, choose
from ferdata.running.whole_file import write_whole
from ferdata.schema import NAME_RULE, is_dataset_name
from ferdata.sources import archives
from ferdata.sources.declaration import UNKNOWN_LABELS, Layout
from ferdata.sources.declaration import metadata as source_metadata
from ferdata.sources.ferplus_votes import votes_by_row
from ferdata.sources.find_layout import better_as, closed_archives, find_layout
from ferdata.sources.intake import NAMED, AnyLabel, Intake
from ferdata.sources.left_out import cannot_read
from ferdata.sources.location import find_root
from ferdata.sources.measure import MEASURED, OUTSIDE, Reject, Setting
from ferdata.sources.published_counts import compare, lacking, where_to_get
from ferdata.sources.recognise import endings
from ferdata.sources.tables import is_code

IMAGES = ("reference", "embed")
UNKNOWN = ("refuse", "keep")
KNOWN = ("tell", "use", "off")


@dataclass(frozen=True)
class Ingested:
    """What an ingest did: `rows` written to `out`, every row that is not there by reason, and which release it is.

    `lacking` says which official splits are not there, and how they are to be had; "" where all are there.
    `differences` are the counts that are not the published ones, `strange` the first of the `strange_count` file
    names that do not follow the publisher's naming, `unknown_labels` what was kept without a label, `named` the first
    rows of each reason, with what is known of it. `others` counts by their ending the files that no row was made of and
    nothing above names: tables, notes, pictures that the options did not ask for; `first_others` are the first of them.
    `known` says of which published datasets the faces are, where that was looked up. `resumed` are the rows that a
    stopped run had finished, `unused` those of them that were measured again, since the files are not the same any
    more.
    """

    out: Path
    dataset: str
    release: str
    note: str
    base: Path
    rows: int
    labelled: int
    unlabelled: Mapping[str, int]
    unknown_labels: Mapping[str, int]
    rejected: Mapping[str, int]
    rejects: Path | None
    named: Mapping[str, list[str]]
    others: Mapping[str, int]
    first_others: tuple[str, ...]
    known: tuple[Known, ...]
    lacking: str
    differences: tuple[str, ...]
    strange: tuple[str, ...]
    strange_count: int
    counts: Mapping[str, Mapping[str, Mapping[str, int]]]
    resumed: int
    unused: int
    fingerprint: str


def ingest(
    name: str,
    /,  # so that an adapter, too, may have an option `name`
    *,
    root: Path | str | None = None,
    out: Path | str | None = None,
    images: str | None = None,
    votes: str = "majority",
    unknown_labels: str = "refuse",
    known: str = "tell",
    known_votes: Path | str | None = None,
    workers: int | None = None,
    engine: str = ENGINES[0],
    address: str | None = None,
    resume: bool = False,
    force: bool = False,
    **options: str | None,
) -> Ingested:
    """Read the dataset `name` and write its manifest.

    `root` is its folder or archive (else FERDATA_ROOT_<NAME>, else $FERDATA_DATA/<name>, else data/<name>); `out`
    defaults to manifests/<name>.parquet. `images` is `reference` (paths relative to the root; the default for
    folders) or `embed` (the files' own bytes; the default for an archive). What an archive beside a folder's other
    files holds is always embedded, since it is gone afterwards, and so are, losslessly, sources that are no image
    files. `votes` is the policy that turns annotator votes into labels. `unknown_labels` refuses labels that the layout
    does not know, or keeps their rows without a label. Datasets that anybody may have put together (class folders,
    tables, the Hub's forms) are looked up among known faces: `known` is tell (say whose they are), use (take over their
    official splits, and with `known_votes`, FER+'s fer2013new.csv, the votes) or off. `engine` is `local` (`workers`
    processes; threads where the system cannot fork) or `ray` (as many of a cluster's, at `address` or started here,
    all of which see the root at its path). `resume` continues an interrupted ingest into the same `out`. `options` are
    the adapter's own. Raises DatasetMissing, NotThisDataset, BrokenSource, UnknownLabel, AlreadyExists, CannotWrite,
    BadOption, MissingExtra, ImagesMissing, WorkersLost.
    """
    adapter = load(name)
    chosen = _options(adapter, options)
    _one_of("images", images or "reference", IMAGES)
    _one_of("votes", votes, labels.POLICIES)
    _one_of("unknown-labels", unknown_labels, UNKNOWN)
    _one_of("known", known, KNOWN)
    recognised = _recognised(adapter, known, known_votes)
    dataset = chosen.get("name") or adapter.SOURCE.name
    if not is_dataset_name(dataset):
        raise BadOption(f"--name cannot be {dataset!r}.", f"A dataset's name is {NAME_RULE}.")
    target = Path(out) if out else Path("manifests") / f"{dataset}.parquet"
    runner = choose(engine, workers, address)
    place = find_root(adapter.SOURCE, root)
    manifest.check_output(target, force)
    with archives.opened(place) as opened:
        if place.is_file() and images == "reference":
            raise BadOption(
                f"{place} is an archive: its unpacked files are deleted after the ingest, so a manifest cannot refer "
                f"to them.",
                "Use --images embed, or unpack it and give the folder as --root.",
            )
        if opened.unpacked and runner.elsewhere:
            raise BadOption(
                f"{place} holds archives, which are unpacked on this machine only, where other machines of the "
                f"cluster cannot read them.",
                "Unpack them into a folder that all machines share, and give it as --root.",
            )
        declared, base = find_layout(adapter.SOURCE, opened.folder, place, looks_like)
        layout = _prepare(adapter, base, declared, chosen, unknown_labels)
        if adapter.SOURCE.generic and (others := looks_like(opened.folder)):
            layout = replace(layout, note=f"{layout.note}\n{better_as(load(others[0]).SOURCE, place)}".strip())
        folder, apart = opened.folder, opened.unpacked and place.is_dir()
        setting = Setting(
            dataset, layout, (place if apart else folder).absolute(),
            "" if base == folder else base.relative_to(folder).as_posix() + "/",
            images == "embed" or place.is_file(), votes, dict(layout.labels), unknown_labels == "keep",
            frozenset(filter(is_code, declared.labels)), folder if apart else None,
        )  # fmt: skip
        job = _Job(adapter, setting, base, chosen, target, place, opened, recognised)
        return job.run(runner, resume, force)


def _recognised(adapter: Adapter, known: str, votes: Path | str | None) -> Recognised | None:
    """Return what looks faces up, None where that is not wanted. Raises BadOption, BrokenSource."""
    if votes and known != "use":
        raise BadOption("--known-votes has no effect without --known use.", "Add --known use, or leave it out.")
    if not adapter.SOURCE.generic:
        if known == "use":
            raise BadOption(f"{adapter.SOURCE.name} has official splits of its own.", "Leave out --known use.")
        return None
    if known == "off":
        return None
    return Recognised(Lookup(indexes()), known == "use", votes_by_row(Path(votes)) if votes else {})


def _one_of(option: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise BadOption(f"--{option} cannot be {value!r}.", choose_one(value, allowed))


def _options(adapter: Adapter, given: Mapping[str, str | None]) -> dict[str, str | None]:
    declared = {option.name: option for option in adapter.SOURCE.options}
    for name in given:
        if name not in declared:
            raise BadOption(
                f"{adapter.SOURCE.name} has no option {name!r}.",
                did_you_mean(name, declared)
                + f"It has {', '.join(declared) or 'none of its own'}: `ferdata ingest {adapter.SOURCE.name} --help`.",
            )
    return {name: adapter.SOURCE.option(given, name) for name in declared}


def _prepare(
    adapter: Adapter, base: Path, layout: Layout, options: Mapping[str, str | None], unknown_labels: str
) -> Layout:
    """Return the layout with what only its files tell, where the adapter looks at them first."""
    prepare = getattr(adapter, "prepare", None)
    asked = {**options, UNKNOWN_LABELS: unknown_labels}
    try:
        prepared: Layout = prepare(base, layout, asked) if prepare else layout
    except NotThisDataset as error:
        raise NotThisDataset(error.message, closed_archives(base) or error.hint) from None
    except OSError as error:
        raise cannot_read(error) from None
    return prepared


@dataclass(frozen=True)
class _Job:
    """One ingest: what was found, where it goes."""

    adapter: Adapter
    setting: Setting
    base: Path
    options: Mapping[str, str | None]
    target: Path
    place: Path
    opened: archives.Opened
    recognised: Recognised | None

    def run(self, engine: Engine, resume: bool, force: bool) -> Ingested:
        """Take the dataset in, write manifest and rejects, say what was found."""
        intake = Intake(self.setting)
        intake.rejects += [
            Reject(f"{self.setting.dataset}:{h.name}", h.name, "left out of an archive", h.why)
            for h in self.opened.left_out
        ]
        root = None if self.place.is_file() else seen_from(self.target.parent.resolve(), self.place.resolve())
        described = source_metadata(self.adapter.SOURCE, self.setting.layout)
        described |= {"root": root, "measured": VERSION}
        metadata: dict[str, Any] = {
            "sources": {self.setting.dataset: described},
            "vote_policy": self.setting.policy,
            "taxonomy": labels.TAXONOMIES["basic8"].as_dict(),
            "lineage": [],
        }
        partial = Partial(self.target, self._same())
        partial.begin(resume)
        new = not self._rejects.exists()
        batches = self._batches(intake, engine, metadata, partial)
        try:
            written = manifest.write(self.target, batches, metadata, force, partial)
        except BaseException:
            if new:  # they belong to a manifest that is not there
                self._rejects.unlink(missing_ok=True)
            raise
        return Ingested(
            out=self.target,
            dataset=self.setting.dataset,
            release=self.setting.layout.name,
            note=self.setting.layout.note,
            base=self.place if self.opened.unpacked else self.base,
            rows=intake.rows,
            labelled=intake.rows - sum(intake.unlabelled.values()),
            unlabelled=dict(intake.unlabelled),
            unknown_labels=dict(intake.unknown),
            rejected=intake.reasons,
            rejects=self._rejects if intake.rejects else None,
            named=intake.named,
            others=endings(intake.others),
            first_others=tuple(intake.others[:NAMED]),
            known=tuple(self.recognised.lookup.hits) if self.recognised else (),
            lacking=where_to_get(self.adapter.SOURCE, self.setting.layout, intake.cells),
            differences=tuple(described["differences"]),
            strange=tuple(intake.strange),
            strange_count=intake.strange_count,
            counts=written["counts"],
            resumed=partial.rows,
            unused=partial.unused,
            fingerprint=written["fingerprint"],
        )

    def _same(self) -> dict[str, Any]:
        """What must be the same for an interrupted ingest to go on."""
        return {
            "dataset": self.setting.dataset,
            "release": self.setting.layout.name,
            "root": str(self.place.resolve()),
            "embed": self.setting.embed,
            "policy": self.setting.policy,
            "options": dict(self.options),
            "known": self.recognised.words if self.recognised else "off",
            "measured": VERSION,
        }

    def _batches(
        self, intake: Intake, engine: Engine, metadata: dict[str, Any], partial: Partial
    ) -> Iterator[pa.RecordBatch]:
        partial.rejects_now = lambda: [asdict(r) for r in intake.rejects if r.path and r.reason in MEASURED]
        layout = self.setting.layout
        if self.setting.keep_unknown:
            layout = replace(layout, labels=AnyLabel(layout.labels))
        samples = self.adapter.samples(self.base, layout, self.options)
        batches = intake.batches(samples, engine, partial)
        if self.recognised:
            maps = {self.setting.dataset: self.setting.labels}
            batches = (self.recognised(batch, maps, self.setting.policy) for batch in batches)
        yield from batches
        if not intake.rows:
            raise self._nothing(intake)
        intake.look_around(self.base)
        _write_rejects(self._rejects, intake.rejects)
        self._describe(intake, metadata)

    def _nothing(self, intake: Intake) -> BrokenSource:
        """Return the error for a dataset of which no image could be read, with the first file that was looked for."""
        reasons = ", ".join(f"{n} x {reason}" for reason, n in intake.reasons.items()) or "it is empty"
        first = next((r for r in intake.rejects if r.path and r.reason in MEASURED), None)
        such = f" such as {self.setting.root / (first.path or '')}" if first else ""
        such += f", {first.detail}" if first and first.detail else ""
        return BrokenSource(
            f"No image of {self.setting.dataset} in {self.place} could be read ({reasons}{such}).",
            f"Links are followed only inside {self.place}: give a --root folder that holds all files."
            if first and first.reason == OUTSIDE
            else f"Check the folder against `ferdata datasets show {self.adapter.SOURCE.name}`.",
        )

    def _describe(self, intake: Intake, metadata: dict[str, Any]) -> None:
        described = metadata["sources"][self.setting.dataset]
        default = all(self.options[o.name] == o.default for o in self.adapter.SOURCE.options)
        differences = compare(self.setting.layout, intake.cells) if default else ()
        described["differences"] = [*map(str, lacking(self.setting.layout, intake.cells)), *map(str, differences)]
        described["strange_names"] = intake.strange_count
        described["labels"] = self.setting.labels
        if self.recognised:
            described["known"] = {
                hit.name: {**asdict(hit), "used": self.recognised.use} for hit in self.recognised.lookup.hits
            }
        images = "embed" if self.setting.embed else "reference"
        options = {"votes": self.setting.policy, "images": images, **self.options}
        record = manifest.step_record(
            "ingest",
            options,
            adapter=self.adapter.SOURCE.name,
            dataset=self.setting.dataset,
            rows_in=intake.rows + len(intake.rejects),
            rows_out=intake.rows,
            dropped=intake.reasons,
            other_files=endings(intake.others),
        )
        metadata["lineage"].append(record)

    @property
    def _rejects(self) -> Path:
        return rejects.beside(self.target)


def _write_rejects(path: Path, rejected: list[Reject]) -> None:
    """Write the rejects beside the manifest, or take away those of an earlier run if there are none now."""
    if not rejected:
        path.unlink(missing_ok=True)
        return
    table = pa.Table.from_pylist([asdict(r) for r in rejected], rejects.COLUMNS)
    write_whole(path, checksums.as_bytes(table))
