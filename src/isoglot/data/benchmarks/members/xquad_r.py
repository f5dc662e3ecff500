"""XQuAD-R: 1,190 questions in eleven languages, translated from SQuAD by people."""

from isoglot.data.benchmarks.catalog import BENCHMARKS
from isoglot.data.benchmarks.lareqa import lareqa_benchmark

BENCHMARKS.register(lareqa_benchmark("xquad-r", queries=13_090, passages=13_014, order=1))
BENCHMARKS.register(lareqa_benchmark("xquad-r", queries=13_090, passages=1_186, order=1, natural=True))
