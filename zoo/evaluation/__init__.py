"""How good a run is, and how sure that may be said: scores, intervals, parts, comparisons, pictures."""
