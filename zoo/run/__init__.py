"""What a run is on disk and where it computes: its folder, its model file, its device."""
