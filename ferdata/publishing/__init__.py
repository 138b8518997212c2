"""A manifest as a folder that others can take: what its sources' terms allow, in the forms that readers expect."""
