"""Mr. TyDi's test set."""

from pathlib import Path

from isoglot.data.benchmarks.catalog import BENCHMARKS
from isoglot.data.benchmarks.wikipedia import read_layout, wikipedia_benchmark

MR_TYDI = read_layout(Path(__file__).with_name("mr_tydi.yaml"))
BENCHMARKS.register(wikipedia_benchmark(MR_TYDI, order=5))
