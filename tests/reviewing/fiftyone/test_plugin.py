"""The plugin's operators: on which faces they decide, and what they say."""

from pathlib import Path
from typing import Any

import pytest

from ferdata.reviewing.fiftyone import decide
from tests.reviewing.fiftyone.loaded import ids, load, shown, truths


def run(operator: Any, fo: Any, made: Path, **request: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run an operator as the App does; return its result, and what it asks of the App, by operator."""
    from fiftyone.operators.executor import ExecutionContext, Executor

    request = {"dataset_name": shown(fo, made).name, "params": {}, "selected": [], **request}
    ctx = ExecutionContext(request_params=request, executor=Executor())
    result = operator.execute(ctx)
    return result, {r["operator_uri"]: r["params"] for r in ctx.executor.to_json()["requests"]}


def test_the_plugin_gives_fiftyone_its_operators(fo: Any) -> None:
    import fiftyone.operators as foo

    names = {o.uri for o in foo.list_operators(builtin=False)}
    wanted = ("relabel", "confirm", "not_a_face", "cannot_tell", "accept", "undo", "left")
    assert {f"@ferdata/review/{name}" for name in wanted} <= names


@pytest.mark.parametrize(
    ("asked", "by_the_app", "meant"),
    [
        ({"open": 4}, None, [4]),
        ({"open": 4}, 3, [4]),  # the App is late with the next face
        ({"open": None}, 4, [0, 1]),  # and with its closing
        ({}, 4, [4]),  # out of the App's own list, which cannot say more
        ({}, None, [0, 1]),
    ],
)
def test_an_operator_decides_on_the_open_face_alone_else_on_the_selected_ones(
    fo: Any, made: Path, asked: dict[str, int | None], by_the_app: int | None, meant: list[int]
) -> None:
    from ferdata.reviewing.plugin import Confirm, Relabel, Undo

    load(made)
    name = [str(i) for i in ids(fo, made, 0, 1, 2, 3, 4)]
    params = {"label": "disgust"} | {key: n if n is None else name[n] for key, n in asked.items()}
    seen = None if by_the_app is None else name[by_the_app]
    who = "made:0004 is" if meant == [4] else "2 are"
    for operator, said in ((Relabel, "now disgust"), (Confirm, "now confirmed"), (Undo, "as before")):
        result, did = run(operator(), fo, made, params=params, selected=name[:2], current_sample=seen)
        assert (result["face"] or {}).get("sample_id") == (f"made:{meant[0]:04}" if len(meant) == 1 else None)
        assert did["notify"]["message"] == f"{who} {said}."
        assert did["clear_selected_samples"] == {}  # no tick is left to decide on the next face
    assert [n for n, word in truths(fo, made).items() if word == "disgust"] == [f"made:{n:04}" for n in meant]


def test_undo_takes_back_the_last_decision_where_the_open_face_has_none(fo: Any, made: Path) -> None:
    """In a view of what is not decided, the face has gone; ticks say which faces are meant, and no others are."""
    from ferdata.reviewing.plugin import Undo

    load(made)
    first, second, third = ids(fo, made, 0, 1, 4)
    before = truths(fo, made)
    for face in (first, second):
        decide.decide(shown(fo, made), [face], "disgust")
    result, did = run(Undo(), fo, made, selected=[str(third)])
    assert (did["notify"]["message"], result["undone"]) == ("Nothing to take back.", [])
    result, did = run(Undo(), fo, made, params={"open": str(third)})
    assert (did["notify"]["message"], result["undone"]) == ("made:0001 is as before.", [str(second)])
    result, _ = run(Undo(), fo, made)
    assert (result["undone"], truths(fo, made)) == ([str(first)], before)
    for face in (first, second):
        decide.decide(shown(fo, made), [face], "disgust")
    for params, taken_back in (({"open": str(first), "last": True}, second), ({"open": str(first)}, first)):
        assert run(Undo(), fo, made, params=params)[0]["undone"] == [str(taken_back)]


def test_a_view_keeps_its_name_for_the_count_while_what_is_decided_leaves_it(fo: Any, made: Path) -> None:
    from ferdata.reviewing.plugin import Confirm, Left

    load(made)
    view = shown(fo, made).load_saved_view("Not reviewed yet")
    request = {"view": view._serialize(), "selected": [str(i) for i in ids(fo, made, 0, 4)]}
    before, _ = run(Left(), fo, made, **request)
    after, _ = run(Confirm(), fo, made, **request)
    whole, _ = run(Left(), fo, made)
    assert ((before["left"], before["total"]), (after["left"], after["total"])) == ((5, 5), (3, 3))
    assert (after["waiting"], after["view"]) == (2, before["view"])
    assert whole["view"] != before["view"]
