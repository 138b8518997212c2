"""The FiftyOne plugin: operators that decide on the selected samples. FiftyOne loads this file by its path.

An operator records, shows and counts; what it records is pulled into the ledger by `ferdata review pull`.
"""

from typing import Any

import fiftyone.operators as foo
from bson import ObjectId
from fiftyone.operators import types

from ferdata.app import decide
from ferdata.ledger import CANNOT_TELL, NOT_A_FACE, WORDS, canonical

SETTLED = 2.0  # seconds after which an edit of the Annotate tab is taken: the App saves a moment after the choice


def _chosen(ctx: Any) -> list[ObjectId]:
    """Return the selected samples, else the one that is open."""
    ids = list(ctx.selected or ()) or ([ctx.current_sample] if ctx.current_sample else [])
    return [ObjectId(i) for i in ids]


def _left(ctx: Any) -> dict[str, Any]:
    view = ctx.view if ctx.has_custom_view else None
    left, total = decide.left(ctx.dataset, view)
    info = ctx.dataset.info.get(decide.INFO) or {}
    return {"left": left, "total": total, "waiting": decide.waiting(ctx.dataset), "choices": info.get("choices", [])}


def _done(ctx: Any, said: str, many: int) -> dict[str, Any]:
    """Show what was done, let go of the selection, and count what is left."""
    counts = _left(ctx)
    here = "of this view" if ctx.has_custom_view else "in all"
    ctx.ops.notify(
        f"{said}. {counts['left']:,} of {counts['total']:,} pictures left {here}.",
        variant="success" if many else "warning",
    )
    if many:
        if not ctx.current_sample:
            ctx.ops.clear_selected_samples()
        ctx.ops.reload_dataset()
    return {"decided": many, **counts}


class Decide(foo.Operator):  # type: ignore[misc]  # FiftyOne has no types
    """What the operators have in common: the samples, an optional note, a word afterwards."""

    told = ""
    new: str | None = None

    @property
    def config(self) -> foo.OperatorConfig:
        """Return what the App's list of operators shows."""
        return foo.OperatorConfig(
            name=self.called, label=f"ferdata: {self.told}", description=self.__doc__, dynamic=True, icon="label"
        )

    called = ""

    def resolve_input(self, ctx: Any) -> types.Property:
        """Ask for a note; None of it is needed."""
        inputs = types.Object()
        n = len(_chosen(ctx))
        if not n:
            inputs.view("nothing", types.Warning(label="Select the faces first, or open one."))
        inputs.str("note", label="Note", description="Why, if it needs saying.", required=False)
        return types.Property(inputs, view=types.View(label=f"{self.told}: {n} selected"))

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Decide on the chosen samples."""
        done, without = decide.decide(ctx.dataset, _chosen(ctx), self.new, note=ctx.params.get("note"))
        said = f"{done} {self.told}" if done or not without else "Nothing to confirm: no label, or copies that differ"
        return _done(ctx, said if done or without else "No face is selected", done)


class Relabel(Decide):
    """Give the selected faces another label."""

    called, told = "relabel", "relabel"

    def resolve_input(self, ctx: Any) -> types.Property:
        """Ask for the label, and a note."""
        inputs = types.Object()
        choices = types.RadioGroup()
        for word in _left(ctx)["choices"]:
            choices.add_choice(word, label=word)
        inputs.enum("label", choices.values(), label="Label", required=True, view=choices)
        inputs.str("note", label="Note", description="Why, if it needs saying.", required=False)
        return types.Property(inputs, view=types.View(label=f"Relabel: {len(_chosen(ctx))} selected"))

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Decide for the label that was asked for."""
        new = canonical(ctx.params.get("label"))
        if new is None:
            return _done(ctx, "No label was chosen", 0)
        done, _ = decide.decide(ctx.dataset, _chosen(ctx), new, note=ctx.params.get("note"))
        return _done(ctx, f"{done} now {WORDS[new]}" if done else "No face is selected", done)


class Confirm(Decide):
    """The labels of the selected faces are right."""

    called, told = "confirm", "confirmed"


class NotAFace(Decide):
    """The selected pictures show no face."""

    called, told, new = "not_a_face", "not a face", NOT_A_FACE


class CannotTell(Decide):
    """Nobody could tell what the selected faces express."""

    called, told, new = "cannot_tell", "can't tell", CANNOT_TELL


class Undo(Decide):
    """Take back the last decision on each selected face."""

    called, told = "undo", "undo"

    def resolve_input(self, ctx: Any) -> types.Property:
        """Ask for nothing."""
        return types.Property(types.Object(), view=types.View(label=f"Undo: {len(_chosen(ctx))} selected"))

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Take back."""
        done = decide.undo(ctx.dataset, _chosen(ctx))
        return _done(ctx, f"{done} taken back" if done else "Nothing to take back", done)


class Left(foo.Operator):  # type: ignore[misc]
    """How many pictures nobody has decided on."""

    @property
    def config(self) -> foo.OperatorConfig:
        """Return what the App's list of operators shows; keys.js calls this one by itself."""
        return foo.OperatorConfig(name="left", label="ferdata: what is left", unlisted=True)

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Count; what was edited in the Annotate tab is recorded and shown, once the tab is closed."""
        harvested = 0
        # Asked of the page itself: the App goes on naming a sample for a while after its face is closed.
        if not ctx.params.get("open"):
            before = decide.edited(ctx.dataset)
            if before:
                decide.harvest(ctx.dataset, settled=SETTLED)
                harvested = before - decide.edited(ctx.dataset)
        if harvested > 0:
            ctx.ops.reload_dataset()
        return _left(ctx)


def register(plugin: Any) -> None:
    """Tell FiftyOne the operators; it calls this."""
    for operator in (Relabel, Confirm, NotAFace, CannotTell, Undo, Left):
        plugin.register(operator)
