"""The plugin's operators: on which faces they decide, and what they say."""

from pathlib import Path
from typing import Any

import pytest

from tests.reviewing.fiftyone.loaded import ids, load, shown, truths


def test_the_plugin_gives_fiftyone_its_operators(fo: Any) -> None:
    import fiftyone.operators as foo

    names = {o.uri for o in foo.list_operators(builtin=False)}
    wanted = ("relabel", "confirm", "not_a_face", "cannot_tell", "undo", "left")
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
    from fiftyone.operators.executor import ExecutionContext, Executor

    from ferdata.reviewing.plugin import Confirm, Relabel, Undo

    load(made)
    name = [str(i) for i in ids(fo, made, 0, 1, 2, 3, 4)]
    params = {"label": "disgust"} | {key: n if n is None else name[n] for key, n in asked.items()}
    request = {
        "dataset_name": shown(fo, made).name, "params": params, "selected": name[:2],
        "current_sample": None if by_the_app is None else name[by_the_app],
    }  # fmt: skip

    def run(operator: Any) -> dict[str, Any]:
        ctx = ExecutionContext(request_params=request, executor=Executor())
        result = operator.execute(ctx)
        assert (result["face"] or {}).get("sample_id") == (f"made:{meant[0]:04}" if len(meant) == 1 else None)
        return {r["operator_uri"]: r["params"] for r in ctx.executor.to_json()["requests"]}

    who = "made:0004 is" if meant == [4] else "2 are"
    for operator, said in ((Relabel, "now disgust"), (Confirm, "now confirmed"), (Undo, "as before")):
        did = run(operator())
        assert did["notify"]["message"].startswith(f"{who} {said}. ")
        assert did["clear_selected_samples"] == {}  # no tick is left to decide on the next face
    assert [n for n, word in truths(fo, made).items() if word == "disgust"] == [f"made:{n:04}" for n in meant]
