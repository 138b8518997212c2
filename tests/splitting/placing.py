"""What the tests of splits share: rows in few words, and where they stand."""

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from ferdata.schema import SPLITS, arrow_schema
from ferdata.splitting.rules import Placed, Rules, assign_splits

COLUMNS = ("sample_id", "dataset", "official_split", "target", "synthetic", "subject")


def table(*rows: tuple) -> pa.Table:
    """Make a table of (dataset, official split, target, synthetic, subject); what is left out is null."""
    full = [dict(zip(COLUMNS, (f"{r[0]}:{i:05}", *r), strict=False)) for i, r in enumerate(rows)]
    return pa.Table.from_pylist(full, schema=arrow_schema(*COLUMNS))


def placed(rows: list[tuple], group: list[int], picture: list[int] | None = None, **rules: object) -> Placed:
    numbered = np.array(group, np.int64)
    return assign_splits(table(*rows), numbered, np.array(picture or range(len(rows)), np.int64), Rules(**rules))


def stand(rows: list[tuple], group: list[int], **rules: object) -> tuple[list, list]:
    made = placed(rows, group, **rules)
    return made.names.to_pylist(), made.reason.to_pylist()


ROWS = st.lists(
    st.tuples(
        st.sampled_from("ab"),
        st.sampled_from([None, *SPLITS]),
        st.sampled_from(["fear", "anger", None]),
        st.booleans(),
        st.sampled_from(["p", "q", None]),
        st.integers(0, 9),
        st.integers(0, 9),
    ),
    max_size=60,
)
