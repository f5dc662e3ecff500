"""MIRACL's dev set."""

from pathlib import Path

from isoglot.data.benchmarks.catalog import BENCHMARKS
from isoglot.data.benchmarks.wikipedia import read_layout, wikipedia_benchmark

MIRACL = read_layout(Path(__file__).with_name("miracl.yaml"))
BENCHMARKS.register(wikipedia_benchmark(MIRACL, order=4))
