"""Near duplicates: the same picture after re-encoding, resizing, mirroring, blur: found by hash, confirmed by pixels.

`search` finds candidates among stored hashes, `compare` looks at their pixels, `find` joins the two. What it finds,
and what it does not, is measured by `ferdata group --self-test` on one's own pictures.
"""

from ferdata.duplicates.find import find
from ferdata.duplicates.trial import Found, Trial, trial

__all__ = ["Found", "Trial", "find", "trial"]
