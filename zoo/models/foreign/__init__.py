"""Models that others trained and people use as they are: how they are described, opened, fed and read."""
