"""What `benchmarks/gpu.sh` runs on a bare machine with a GPU: its parts, each a process, each writing as it goes."""
