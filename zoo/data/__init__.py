"""From a manifest to batches: rows, targets, order, pixels."""
