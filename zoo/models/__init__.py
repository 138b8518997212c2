"""Nets: which there are, how they are built, what their weights begin as."""
