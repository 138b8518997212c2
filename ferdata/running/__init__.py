"""Where work is done and kept: processes, Ray, the cache, progress."""
