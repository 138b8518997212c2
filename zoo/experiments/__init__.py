"""Several trainings that answer one question: folds, ablations, out-of-fold predictions."""
