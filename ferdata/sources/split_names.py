"""Which split a file is, by its own name and those of its folders, whatever number it has."""

import re
from pathlib import PurePosixPath

from ferdata.errors import BrokenSource
from ferdata.sources.words import both, splits_named

# `train-00000-of-00002-9f8e7d6c5b4a3210`, `train_0003`, `test.1`, `instances_train2017`
_NUMBER = re.compile(r"[-_.]?\d+(?:-of-\d+)?(?:-[0-9a-f]{16})?\Z")


def split_of_file(path: str) -> str | None:
    """Return the split that a file's name and its folders say, None for none: `default/train/0000.parquet` is train.

    Raises BrokenSource where they say two.
    """
    where = PurePosixPath(path)
    found = splits_named(_NUMBER.sub("", part) for part in (*where.parent.parts, where.stem))
    if len(found) > 1:
        raise BrokenSource(
            f"{path} names two splits: {both(found)}.", "Rename the file or its folder, so that one split remains."
        )
    return next(iter(found), None)
