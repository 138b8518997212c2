"""What a training reads: which rows, decoded once into one array."""
