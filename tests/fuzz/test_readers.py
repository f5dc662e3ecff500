"""Every reader of bytes, with its files spoiled: rows or a line that names the file."""

from __future__ import annotations

import base64
import lzma
from functools import partial
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import example, given
from hypothesis import strategies as st

from isoglot.study.export import unpack_export
from isoglot.study.packing import PACKED, PackedStudy
from tests.fuzz.readers import lay_out, readers, try_bytes
from tests.fuzz.trying import VALUES, folder, outcome, tried
from tests.malformed.mutations import spoil

NAMES = st.deferred(lambda: st.sampled_from(list(readers())))


def test_good_files_are_read() -> None:
    for reader in readers().values():
        with folder() as home:
            lay_out(reader, home)
            assert try_bytes(reader, reader.seed, home), reader.name


@tried(250)
@given(NAMES, st.randoms(use_true_random=False), st.integers(1, 3))
def test_spoiled_bytes_are_rows_or_a_line(name: str, random: Random, times: int) -> None:
    reader = readers()[name]
    with folder() as home:
        lay_out(reader, home)
        data = reader.seed
        for _ in range(times):
            try:
                data = spoil(random, reader.spoiled, data)
            except Exception:  # spoiled so far that no further way applies
                break
        try_bytes(reader, data, home)


@tried(150)
@given(NAMES, st.binary(max_size=200), st.integers(0, 400), st.integers(0, 400))
def test_any_bytes_among_good_ones_are_rows_or_a_line(name: str, data: bytes, begin: int, end: int) -> None:
    reader = readers()[name]
    with folder() as home:
        lay_out(reader, home)
        try_bytes(reader, reader.seed[:begin] + data + reader.seed[end:], home)


@tried(80)
@example(42)
@example([1])
@example({"entries": 3})
@example({"entries": {"a": 3}})
@example({"entries": {}, "results": {}})
@given(VALUES | st.dictionaries(st.sampled_from(["entries", "results", "states", "folder", "a"]), VALUES))
def test_an_export_may_hold_anything(details: Any) -> None:
    """What is packed in base 85 and LZMA is out of reach for spoiled bytes."""
    import json

    text = base64.b85encode(lzma.compress(json.dumps(details).encode()))
    table = pa.table({"cell": ["a"], "benchmark": ["b"]}).replace_schema_metadata({"details": text})
    with folder() as home:
        pq.write_table(table, home / PACKED)
        (home / "cost.json").write_text("{}")
        outcome(lambda: unpack_export(home))

        def read() -> None:
            study = PackedStudy(home / PACKED)
            for name in ("folder", "a", "x"):
                outcome(partial(study.result, name))

        outcome(read)
