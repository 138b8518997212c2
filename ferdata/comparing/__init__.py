"""How sets of faces differ, without training on any: what each holds, what they share, how far apart they are."""
