"""MLQA-R: questions over Wikipedia articles in seven languages, each in two to four of them."""

from isoglot.data.benchmarks.catalog import BENCHMARKS
from isoglot.data.benchmarks.lareqa import lareqa_benchmark

BENCHMARKS.register(lareqa_benchmark("mlqa-r", queries=4_199, passages=20_534, order=2))
BENCHMARKS.register(lareqa_benchmark("mlqa-r", queries=4_199, passages=5_377, order=2, natural=True))
