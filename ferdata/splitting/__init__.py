"""Which rows train, choose and judge: shares, folds, caps, lists; a group is never torn."""
