"""What `benchmarks/run.py` measures: a section a file, each measurement in a process of its own."""
