"""Checksums in a Parquet file, so that a bit that flips on a disk is noticed when it is read.

Parquet's own cover the bytes of a page, not its header, and not the footer. So a seal lies before the footer, where no
offset of the footer leads and no other reader looks: the CRC-32 of each BLOCK of every row group, headers and all, and
a hash of what follows it, the footer to the last byte. A program that writes the file again leaves the seal out: then
the file is unprotected, not damaged. It tells damage, not intent: who edits a file can seal it anew.
"""

import hashlib
import io
import json
import mmap
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ferdata.manifest.safe_paths import must_be_file

BLOCK = 1 << 16  # bytes: a small column is checked without its large neighbours
# A seal is JSON, the hash of this JSON, its length in eight bytes, and MARK.
MARK = b"\0ferdata\0sealed\0"
HASH = 16  # bytes
NEAR = 1 << 26  # bytes from the end in which a seal is looked for where the footer's length does not lead to it


class Damaged(OSError):
    """The bytes of a file are not those that were written; the message says where."""


class Sums:
    """The checksums of a file that is being written."""

    def __init__(self) -> None:
        self._groups: list[tuple[int, str]] = []  # where each ends, and the sums of its blocks in hexadecimal

    def add(self, end: int, pieces: Iterable[bytes]) -> None:
        """Take in a row group, which ends at the byte `end` of the file."""
        self._groups.append((end, "".join(f"{value:08x}" for value in _of_blocks(pieces))))

    def drop(self) -> None:
        """Forget the last row group."""
        self._groups.pop()

    def sealed(self, end: bytes) -> bytes:
        """Return the end of a file, footer and all, with the seal before the footer."""
        at = len(end) - _length(end)
        what = {"block": BLOCK, "groups": self._groups, "footer": _hash(end[at:]).hex()}
        text = json.dumps(what).encode()
        return b"".join((end[:at], text, _hash(text), len(text).to_bytes(8, "little"), MARK, end[at:]))


class Checks:
    """What an open file is checked against; `protected` says whether it has a seal, `groups` how many it names."""

    def __init__(self, path: Path) -> None:
        """Check the footer. Raises Damaged, and OSError where there is no file."""
        self._groups: list[tuple[int, str]] = []
        self._block = BLOCK
        self._done: set[tuple[int, int]] = set()
        with path.open("rb") as file:
            empty = file.seek(0, io.SEEK_END) == 0
            self._data = b"" if empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        end = len(self._data) - _length(self._data)
        if self._data[max(0, end - len(MARK)) : max(0, end)] != MARK:
            at = self._data.rfind(MARK, max(0, len(self._data) - NEAR))
            end = at + len(MARK) if at >= 0 else 0
        self.protected = end > 0
        if self.protected:
            self._read_seal(end)

    def _read_seal(self, end: int) -> None:
        """Take in the seal that ends at the byte `end`, where the footer begins."""
        stop = end - len(MARK) - 8
        start = stop - HASH - int.from_bytes(self._data[stop : stop + 8], "little")
        text = self._data[max(0, start) : stop - HASH]
        if start < 0 or _hash(text) != self._data[stop - HASH : stop]:
            raise Damaged("its checksums are not what was written")
        seal = json.loads(text)
        if _hash(self._data[end:]).hex() != seal["footer"]:
            raise Damaged("its footer, which has the metadata, is not what was written")
        self._groups = [(int(end), str(sums)) for end, sums in seal["groups"]]
        self._block = int(seal["block"])

    @property
    def groups(self) -> int:
        """The number of row groups."""
        return len(self._groups)

    def check(self, group: int, ranges: Mapping[str, tuple[int, int]] | None = None) -> None:
        """Check a row group: all of it, or the columns whose bytes are at `ranges`. Raises Damaged.

        What was checked once is not checked again.
        """
        if not self.protected:
            return
        if group >= len(self._groups):
            raise Damaged(f"row group {group + 1} is missing")
        start = self._groups[group - 1][0] if group else 0
        (end, sums), size = self._groups[group], self._block
        for name, (first, last) in (ranges or {"": (start, end)}).items():
            for block in range((first - start) // size, -(-(last - start) // size)):
                if (group, block) in self._done:
                    continue
                at = start + block * size
                said = sums[8 * block : 8 * block + 8]
                with memoryview(self._data) as data, data[at : min(at + size, end)] as held:
                    now = zlib.crc32(held)
                if f"{now:08x}" != said:
                    where = f"row group {group + 1} of {len(self._groups)}"
                    raise Damaged(f"{where}{f', at the column {name},' if name else ''} is not what was written")
                self._done.add((group, block))

    def check_all(self) -> None:
        """Check every row group. Raises Damaged."""
        for group in range(len(self._groups)):
            self.check(group)


def as_bytes(table: pa.Table) -> bytes:
    """Return a small table as a Parquet file, sealed, for `read_table`."""
    sums, sink = Sums(), io.BytesIO()
    writer = pq.ParquetWriter(sink, table.schema, compression="zstd", write_page_checksum=True)
    writer.write_table(table)
    end = sink.tell()
    sums.add(end, [sink.getvalue()])
    writer.close()
    whole = sink.getvalue()
    return whole[:end] + sums.sealed(whole[end:])


def read_table(path: Path) -> pa.Table:
    """Read a whole table, checked where it is sealed. Raises OSError, which Damaged is, and ArrowException."""
    must_be_file(path)
    Checks(path).check_all()
    with pq.ParquetFile(path) as file:
        return file.read()


def _of_blocks(pieces: Iterable[bytes]) -> list[int]:
    """Return the CRC-32 of each BLOCK of what the pieces are together."""
    found, value, room = [], 0, BLOCK
    for piece in pieces:
        left = memoryview(piece)
        while left:
            value = zlib.crc32(left[:room], value)
            left, room = left[room:], room - min(room, len(left))
            if not room:
                found.append(value)
                value, room = 0, BLOCK
    return found if room == BLOCK else [*found, value]


def _length(end: "bytes | mmap.mmap") -> int:
    """Return the bytes of the footer of a file that ends so, its own length and Parquet's mark with it."""
    return int.from_bytes(end[-8:-4], "little") + 8


def _hash(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=HASH).digest()
