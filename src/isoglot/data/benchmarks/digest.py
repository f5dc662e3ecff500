"""What a benchmark is, by content."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from isoglot.files import digest_strings
from isoglot.records import Benchmark


def benchmark_digest(benchmark: Benchmark) -> str:
    """SHA-256 (hex) of all languages, ids, texts, judgments and groups; the name and the licence do not count."""

    def contents() -> Iterator[str]:
        for side in (benchmark.pooled_queries(), benchmark.pooled_documents()):
            for row in side:
                yield from row
            yield ""
        for array in (benchmark.indptr, benchmark.relevant, benchmark.gains):
            yield np.ascontiguousarray(array).tobytes().hex()
        yield from benchmark.query_groups

    return digest_strings(contents())
