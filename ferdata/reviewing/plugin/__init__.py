"""The FiftyOne plugin: operators that decide on the open face, else on the selected ones.

FiftyOne loads this file by its path. An operator records, shows and counts; what it records is pulled into the ledger
by `ferdata review pull`.
"""

from collections.abc import Sequence
from typing import Any

import fiftyone.core.json as foj
import fiftyone.operators as foo
from bson import ObjectId
from fiftyone.operators import types

from ferdata.reviewing.fiftyone import decide, looks
from ferdata.reviewing.ledger import CANNOT_TELL, NOT_A_FACE, WORDS, canonical, identity

NOBODY = "No face is open or selected"
SETTLED = 2.0  # seconds after which an edit of the Annotate tab is taken: the App saves a moment after the choice


def _open(ctx: Any) -> str | None:
    """Return the id of the face that is open, or nothing.

    keys.js says what the page shows when the key is pressed: the App goes on naming a face for a while after it is
    closed. Operators of the App's own list have only the App's word; their prompt names the face.
    """
    return ctx.params.get("open", ctx.current_sample) or None


def _chosen(ctx: Any) -> list[ObjectId]:
    """Return the face that is open, and nothing else while one is; else the selected ones."""
    face = _open(ctx)
    return [ObjectId(i) for i in ([face] if face else ctx.selected or ())]


def _name(ctx: Any, chosen: Sequence[ObjectId]) -> str | None:
    """Return the `sample_id` of the one face that was chosen; None if there are several, or none."""
    found = ctx.dataset._sample_collection.find_one({"_id": chosen[0]}) if len(chosen) == 1 else None
    return str(found["sample_id"]) if found else None


def _asked(ctx: Any) -> str:
    """Return what a prompt says it is about."""
    chosen = _chosen(ctx)
    return _name(ctx, chosen) or f"{len(chosen):,} selected"


def _are(ctx: Any, chosen: Sequence[ObjectId], done: int) -> str:
    """Begin the sentence that says what became of the chosen faces."""
    return f"{_name(ctx, chosen) or f'{done:,}'} {'is' if done == 1 else 'are'}"


def _left(ctx: Any) -> dict[str, Any]:
    """Return what keys.js shows: how many samples of which view are left, what waits, the choices, the open face."""
    view = ctx.view if ctx.has_custom_view else None
    left, total = decide.left(ctx.dataset, view)
    info = ctx.dataset.info.get(decide.INFO) or {}
    counts = {"left": left, "total": total, "waiting": decide.waiting(ctx.dataset), "choices": info.get("choices", [])}
    return counts | {"view": _identity(ctx.dataset, view), "colours": looks.CHOICE_COLOURS, "face": _face(ctx)}


def _identity(dataset: Any, view: Any) -> str:
    """Return what tells a view from another, and is the same each time that the App sends it."""
    stages = [(s["_cls"], s["kwargs"]) for s in view._serialize()] if view is not None else []
    return identity(dataset.name, stages)


def _face(ctx: Any) -> dict[str, Any] | None:
    """Return the open face as the database holds it, in the App's form: the App itself goes on showing an old one."""
    face = _open(ctx)
    found = ctx.dataset._sample_collection.find_one({"_id": ObjectId(face)}) if face else None
    return foj.stringify(found) if found else None


def _done(ctx: Any, message: str, many: int) -> dict[str, Any]:
    """Show what was done, end the selection with it, and count what is left.

    Also what an open face hid stays ticked no longer: nobody sees it there when the next key is pressed.
    """
    ctx.ops.notify(f"{message}.", variant="success" if many else "warning")
    if many:
        if ctx.selected:
            ctx.ops.clear_selected_samples()
        ctx.ops.reload_dataset()
    return {"decided": many, **_left(ctx)}


class Decide(foo.Operator):  # type: ignore[misc]  # FiftyOne has no types
    """What the operators have in common: the samples, an optional note, a word afterwards."""

    word = ""
    new: str | None = None

    @property
    def config(self) -> foo.OperatorConfig:
        """Return what the App's list of operators shows."""
        return foo.OperatorConfig(
            name=self.called, label=f"ferdata: {self.word}", description=self.__doc__, dynamic=True, icon="label"
        )

    called = ""

    def resolve_input(self, ctx: Any) -> types.Property:
        """Ask for a note; None of it is needed."""
        inputs = types.Object()
        if not _chosen(ctx):
            inputs.view("nothing", types.Warning(label="Select the faces first, or open one."))
        inputs.str("note", label="Note", description="Why, if it needs saying.", required=False)
        return types.Property(inputs, view=types.View(label=f"{self.word}: {_asked(ctx)}"))

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Decide on the chosen samples."""
        chosen = _chosen(ctx)
        done, without = decide.decide(ctx.dataset, chosen, self.new, note=ctx.params.get("note"))
        nothing = "Nothing to confirm: no label, or copies that differ" if without else NOBODY
        return _done(ctx, f"{_are(ctx, chosen, done)} now {self.word}" if done else nothing, done)


class Relabel(Decide):
    """Give the open face, or the selected ones, another label."""

    called, word = "relabel", "relabel"

    def resolve_input(self, ctx: Any) -> types.Property:
        """Ask for the label, and a note."""
        inputs = types.Object()
        choices = types.RadioGroup()
        for word in _left(ctx)["choices"]:
            choices.add_choice(word, label=word)
        inputs.enum("label", choices.values(), label="Label", required=True, view=choices)
        inputs.str("note", label="Note", description="Why, if it needs saying.", required=False)
        return types.Property(inputs, view=types.View(label=f"Relabel: {_asked(ctx)}"))

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Decide for the label that was asked for."""
        new = canonical(ctx.params.get("label"))
        if new is None:
            return _done(ctx, "No label was chosen", 0)
        chosen = _chosen(ctx)
        done, _ = decide.decide(ctx.dataset, chosen, new, note=ctx.params.get("note"))
        return _done(ctx, f"{_are(ctx, chosen, done)} now {WORDS[new]}" if done else NOBODY, done)


class Confirm(Decide):
    """The label of the open face, or of the selected ones, is right."""

    called, word = "confirm", "confirmed"


class Accept(Decide):
    """The label that is suggested for the open face, or for each selected one, is right."""

    called, word = "accept", "accept the suggestion"

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Decide for what was suggested."""
        chosen = _chosen(ctx)
        done, without = decide.accept(ctx.dataset, chosen, note=ctx.params.get("note"))
        nothing = "Nothing is suggested here; y confirms the label" if without else NOBODY
        return _done(ctx, f"{_are(ctx, chosen, done)} now as suggested" if done else nothing, done)


class NotAFace(Decide):
    """The open picture, or the selected ones, show no face."""

    called, word, new = "not_a_face", "not a face", NOT_A_FACE


class CannotTell(Decide):
    """Nobody could tell what the open face, or the selected ones, express."""

    called, word, new = "cannot_tell", "can't tell", CANNOT_TELL


class Undo(Decide):
    """Take back the last decision: on the selected faces or the open one, else wherever it was made."""

    called, word = "undo", "undo"

    def resolve_input(self, ctx: Any) -> types.Property:
        """Ask for nothing."""
        about = _asked(ctx) if _chosen(ctx) else "the last decision"
        return types.Property(types.Object(), view=types.View(label=f"Undo: {about}"))

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Take back; the last decision may be on a face that has left the view.

        keys.js asks for the `last` one where it has just gone on from it to the face that is open.
        """
        chosen = [] if ctx.params.get("last") else _chosen(ctx)
        done = decide.undo(ctx.dataset, chosen)
        if not done and (_open(ctx) or not chosen):
            chosen = decide.last_decided(ctx.dataset)
            done = decide.undo(ctx.dataset, chosen)
        said = f"{_are(ctx, chosen, done)} as before" if done else "Nothing to take back"
        return _done(ctx, said, done) | {"undone": [str(i) for i in chosen] if done else []}


class Left(foo.Operator):  # type: ignore[misc]
    """How many samples nobody has decided on."""

    @property
    def config(self) -> foo.OperatorConfig:
        """Return what the App's list of operators shows; keys.js calls this one by itself."""
        return foo.OperatorConfig(name="left", label="ferdata: what is left", unlisted=True)

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Count; what was edited in the Annotate tab is recorded and shown, once the tab is closed."""
        harvested = 0
        if not _open(ctx):
            before = decide.edited(ctx.dataset)
            if before:
                decide.harvest(ctx.dataset, settled=SETTLED)
                harvested = before - decide.edited(ctx.dataset)
        if harvested > 0:
            ctx.ops.reload_dataset()
        return _left(ctx)


def register(plugin: Any) -> None:
    """Tell FiftyOne the operators; it calls this."""
    for operator in (Relabel, Confirm, Accept, NotAFace, CannotTell, Undo, Left):
        plugin.register(operator)
