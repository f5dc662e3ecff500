"""Rows per query come out of a packed table as they went in: order, bits, nulls and columns."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from isoglot.errors import InputError
from isoglot.files import read_json
from isoglot.study.analysis.reading import read_study
from isoglot.study.packing import DETAILS, PACKED, PackedStudy, pack, unpack
from tests.study.made_study import MadeStudy


def rows(seed: int, n: int = 300, *, shuffled: bool = False) -> pa.Table:
    """Rows as an evaluation writes them: measures that mostly follow from the rank, and some that do not."""
    random = np.random.default_rng(seed)
    best = random.integers(1, 6, n)
    relevant = random.integers(1, 3, n)
    worst = best + np.where(relevant > 1, random.integers(1, 9, n), 0)
    precision = np.where(relevant == 1, 1 / best, random.uniform(size=n))
    precision[:2] = 0.0, -0.0
    distance = pa.array(np.where(random.uniform(size=n) < 0.1, 0.5, worst - best), mask=relevant == 1)
    table = pa.table(
        {
            "setting": np.repeat(["mono", "multi"], n // 2),
            "query_id": [f"q{i % 50}" for i in range(n)],
            "query_lang": [("de", "en", "sw")[i // 50 % 3] for i in range(n)],
            "doc_lang": ["*" if i >= n // 2 else ("de", "en", "sw")[i // 50 % 3] for i in range(n)],
            "group": [f"p{i % 50 // 2}" for i in range(n)],
            "n_relevant": relevant,
            "AP": precision,
            "nDCG@10": 1 / np.log2(best + 1),
            "R@10": (best <= 3).astype(float),
            "best_rank": best,
            "worst_rank": worst,
            "rank_distance": distance.cast(pa.float64()),
        }
    )
    return table.take(random.permutation(n)) if shuffled else table


@pytest.mark.parametrize("shuffled", [False, True])
def test_tables_come_out_as_they_went_in(tmp_path: Path, shuffled: bool) -> None:
    tables = {(f"cell{i}", name): rows(i, shuffled=shuffled) for i in range(3) for name in ("one", "two")}
    tables["cell0", "one"] = tables["cell0", "one"].drop_columns(["R@10"])
    pack(tmp_path, tables, {"results": {}})
    unpacked = unpack(tmp_path / PACKED)
    assert unpacked.keys() == tables.keys()
    for key, table in tables.items():
        found = unpacked[key].select(table.column_names)
        assert found.equals(table)
        signs = [np.signbit(each["AP"].to_numpy()).tolist() for each in (found, table)]
        assert signs[0] == signs[1], "-0.0 is a number of its own"


def test_what_follows_from_ranks_is_stored_once(tmp_path: Path) -> None:
    pack(tmp_path, {("cell", "one"): rows(0)}, {"results": {}})
    stored = pq.read_table(tmp_path / PACKED)
    assert stored["nDCG@10"].null_count > 100
    assert len(set(stored["coded"].to_pylist())) > 2


def test_rows_without_ranks_are_packed_as_well(tmp_path: Path) -> None:
    table = rows(0).drop_columns(["best_rank", "n_relevant"])
    pack(tmp_path, {("cell", "one"): table}, {"results": {}})
    assert unpack(tmp_path / PACKED)["cell", "one"].equals(table)


def test_damaged_exports_are_one_clear_line(tmp_path: Path) -> None:
    made = MadeStudy(tmp_path).add("mono", seeds=[0])
    home = made.write()
    study = read_study(home)
    run = study.runs[0]
    result = study.result(run["benchmarks"]["toy"]["path"])
    entry = {"record": run["benchmarks"]["toy"], "summary": result.summary, "columns": result.per_query.column_names}
    pack(home, {(run["id"], "toy"): result.per_query}, {"results": {run["id"]: {"toy": entry}}})
    assert read_study(home).result(run["benchmarks"]["toy"]["path"]).per_query.equals(result.per_query)
    with pytest.raises(InputError, match="no rows of elsewhere"):
        PackedStudy(home).result("elsewhere")
    (home / DETAILS).write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"details\.json\.xz: cannot be read"):
        read_study(home)
    (home / DETAILS).write_bytes(lzma.compress(json.dumps({"results": {}}).encode()))
    (home / PACKED).write_bytes(b"nothing")
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        unpack(home / PACKED)
    assert read_json(home / "results.json")["cells"][0]["id"] == run["id"]
