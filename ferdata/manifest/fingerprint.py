"""The fingerprint of a manifest's rows: equal content, equal fingerprint, on any machine."""

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ferdata.schema import COLUMNS


def _filled(column: pa.Array, value: Any) -> pa.Array:
    return pc.fill_null(column, pa.scalar(value, column.type)) if column.null_count else column


class Fingerprint:
    """A hash of columns that does not depend on how rows are cut into batches, nor on how Parquet stores them."""

    def __init__(self) -> None:
        self.parts: dict[str, Any] = {}
        self._idle = {c.name for c in COLUMNS if c.later}  # those that hold nothing yet

    def update(self, batch: pa.RecordBatch) -> None:
        """Add the rows of `batch`; `image` is passed over, since `pixel_hash` stands for it."""
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if name != "image":
                self._add(name, column)
                if column.null_count < len(column):
                    self._idle.discard(name)

    def _add(self, name: str, column: pa.Array) -> None:
        if column.null_count == len(column):
            self._add_nothing(name, column.type, len(column))
            return
        if column.null_count:
            self._feed(f"{name}?", pc.cast(column.is_valid(), pa.uint8()))
        else:
            self._hash(f"{name}?").update(b"\1" * len(column))
        if pa.types.is_struct(column.type):
            for i, f in enumerate(column.type):
                self._add(f"{name}.{f.name}", pc.struct_field(column, [i]))  # null where the struct is
        elif pa.types.is_list(column.type):
            lengths = _filled(pc.list_value_length(column), 0)
            self._feed(f"{name}#", pc.cast(lengths, pa.int32()))
            self._add(f"{name}[]", (column.drop_null() if column.null_count else column).flatten())
        elif pa.types.is_string(column.type):
            text = _filled(column, "")
            _, offsets, data = text.buffers()
            ends = np.frombuffer(offsets, np.int32)[text.offset : text.offset + len(text) + 1]
            self._hash(f"{name}#").update(np.diff(ends).astype(np.int64))
            whole = b"" if data is None else memoryview(data)[ends[0] : ends[-1]]
            self._hash(name).update(whole)
        else:
            plain = pc.cast(column, pa.uint8()) if pa.types.is_boolean(column.type) else column
            self._feed(name, _filled(plain, 0))

    def _add_nothing(self, name: str, kind: pa.DataType, rows: int) -> None:
        """Add a column of nulls, which most are: the same bytes as any other's, but with no array made for them."""
        self._hash(f"{name}?").update(bytes(rows))
        if pa.types.is_struct(kind):
            for f in kind:
                self._add_nothing(f"{name}.{f.name}", f.type, rows)
        elif pa.types.is_list(kind):
            self._hash(f"{name}#").update(bytes(4 * rows))
            self._add_nothing(f"{name}[]", kind.value_type, 0)
        elif pa.types.is_string(kind):
            self._hash(f"{name}#").update(bytes(8 * rows))
            self._hash(name)
        else:
            self._hash(name).update(bytes(rows * (1 if pa.types.is_boolean(kind) else kind.byte_width)))

    def _feed(self, name: str, column: pa.Array) -> None:
        self._hash(name).update(np.ascontiguousarray(column.to_numpy(zero_copy_only=False)))

    def _hash(self, name: str) -> Any:
        return self.parts.setdefault(name, hashlib.blake2b(digest_size=16))

    def hexdigest(self) -> str:
        """Return the fingerprint of all rows so far.

        A column that the schema did not always have counts once it holds something, so that manifests from before it
        have the fingerprint that they had.
        """
        whole = hashlib.blake2b(digest_size=16)
        for name in sorted(name for name in self.parts if name.rstrip("?#") not in self._idle):
            whole.update(name.encode() + self.parts[name].digest())
        return whole.hexdigest()
