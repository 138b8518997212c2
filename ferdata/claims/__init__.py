"""What others reported on a dataset, under which protocol, and what can be reached at all."""
