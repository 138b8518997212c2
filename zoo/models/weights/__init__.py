"""First weights that others publish: read from files, renamed, checked, put into a net, and what their terms are."""
