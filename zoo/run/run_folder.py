"""The run folder: what lies in it, and whether a run may be written there."""

import contextlib
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ferdata.charts.style import FORMATS
from ferdata.errors import AlreadyExists, BrokenRun, CannotWrite, paths_like
from ferdata.manifest.safe_paths import seen_from
from ferdata.running.whole_file import temporaries, temporary_beside

CHARTS = ("curves", "confusion", "classes", "reliability", "roc")


@dataclass(frozen=True)
class Folder:
    """`runs/NAME/` and the files in it."""

    path: Path

    @property
    def config(self) -> Path:
        """The options, resolved: `config.toml`."""
        return self.path / "config.toml"

    @property
    def history(self) -> Path:
        """One line an epoch: `history.csv`."""
        return self.path / "history.csv"

    @property
    def model(self) -> Path:
        """The best weights on val: `model.safetensors`."""
        return self.path / "model.safetensors"

    @property
    def last(self) -> Path:
        """What `--resume` goes on from, while the run is not finished: `last.ckpt`."""
        return self.path / "last.ckpt"

    @property
    def report(self) -> Path:
        """The figures on test: `report.json`."""
        return self.path / "report.json"

    @property
    def card(self) -> Path:
        """The run in words: `card.md`."""
        return self.path / "card.md"

    @property
    def predictions(self) -> Path:
        """What it says of each image of val and test: `predictions.parquet`."""
        return self.path / "predictions.parquet"

    @property
    def trees(self) -> Path:
        """The trees on the net's features, under `--head xgboost`: `trees.ubj`."""
        return self.path / "trees.ubj"

    @property
    def adopted(self) -> Path:
        """How a model that others trained is fed and read: `adopted.toml`."""
        return self.path / "adopted.toml"

    @property
    def tensorboard(self) -> Path:
        """What TensorBoard reads."""
        return self.path / "tensorboard"

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that training or adopting writes, TensorBoard's aside."""
        return (
            *(
                self.adopted,
                self.config,
                self.history,
                self.model,
                self.last,
                self.trees,
                self.report,
                self.predictions,
            ),
            *(self.card, *(self.path / f"{name}.{form}" for name in CHARTS for form in FORMATS)),
        )

    def relative(self, path: Path) -> str:
        """Return `path` as seen from here, with slashes: a run and its manifest may move together."""
        return seen_from(self.path, path)

    def absolute(self, recorded: str) -> Path:
        """Return the path that `relative` recorded."""
        return Path(os.path.normpath(self.path / recorded))

    def check(self, force: bool, resume: bool = False) -> None:
        """Raise AlreadyExists or CannotWrite now, before the work; leave no empty folder behind.

        With `resume` a run that can be gone on with is no hindrance; raises BrokenRun where there is none.
        """
        new = [place for place in (self.path, *self.path.parents) if not place.exists()]
        if self.path.exists() and not self.path.is_dir():
            raise CannotWrite(f"{self.path} is a file.", "Give a folder with --out, such as runs/first.")
        if resume:
            self._check_resume()
        elif not force and any(file.exists() for file in self.files):
            unfinished = self.last.exists()
            raise AlreadyExists(
                f"{self.path} already holds a run" + (", which is not finished." if unfinished else "."),
                ("Add --resume to continue it, " if unfinished else "Add ")
                + "--force to replace it, or choose another --out.",
            )
        probe = temporary_beside(self.path / "probe")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise CannotWrite(f"Cannot write in {self.path}: {error.strerror}.", "Choose another --out.") from None
        with contextlib.suppress(OSError):  # a run beside this one may have begun in a folder that was new to both
            for place in new:
                place.rmdir()

    def _check_resume(self) -> None:
        if self.last.is_file():
            return
        if self.report.is_file():
            raise BrokenRun(f"The run in {self.path} is finished.", "Leave out --resume, and choose another --out.")
        raise BrokenRun(f"There is no run in {self.path} to resume.", "Leave out --resume, or correct --out.")

    def clear(self, *, but: Collection[Path] = ()) -> None:
        """Make the folder, and remove an earlier run's files, so that none of them is taken for the new one's.

        Those of `but` are the new one's already.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        for file in (*self.files, *self.tensorboard.glob("events.out.*")):
            if file not in but:
                file.unlink(missing_ok=True)
        self.tidy()

    def tidy(self) -> None:
        """Remove what a process that was killed while it wrote has left."""
        for file in temporaries(self.path):
            file.unlink(missing_ok=True)

    def must_exist(self) -> None:
        """Raise BrokenRun unless there is a model in the folder."""
        if not self.model.is_file():
            what = "holds no model.safetensors" if self.path.is_dir() else "is not a folder"
            close = "" if self.path.is_dir() else paths_like(self.path)
            hint = f"{close}Give the folder of a run, such as runs/first, or train one."
            raise BrokenRun(f"{self.path} {what}.", hint)
