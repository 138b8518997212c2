"""Near duplicates: the same picture after re-encoding, resizing, mirroring, blur: found by hash, confirmed by pixels."""
