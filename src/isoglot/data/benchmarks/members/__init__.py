"""The benchmarks that have a name, one file each."""
