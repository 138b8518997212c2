"""Is a model that others trained read rightly? Other readings of its input and output, tried on labelled faces."""
