"""One training: from what was asked for to the epochs, the chosen weights and the one test."""
