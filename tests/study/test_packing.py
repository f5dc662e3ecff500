"""Rows per query come out of a packed table as they went in: order, bits, nulls and columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from isoglot.errors import InputError
from isoglot.evaluation.results import Result
from isoglot.study.analysis.reading import read_study
from isoglot.study.packing import PACKED, PackedStudy, pack
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


def results(tables: dict[str, pa.Table]) -> dict[str, Result]:
    return {f"cells/{key}": Result({"of": key}, table) for key, table in tables.items()}


@pytest.mark.parametrize("shuffled", [False, True])
def test_tables_come_out_as_they_went_in(tmp_path: Path, shuffled: bool) -> None:
    tables = {f"cell{i}/results/{name}": rows(i, shuffled=shuffled) for i in range(3) for name in ("one", "two")}
    tables["cell0/results/one"] = tables["cell0/results/one"].drop_columns(["R@10"])
    pack(tmp_path / PACKED, results(tables), {"more": [1]})
    packed = PackedStudy(tmp_path / PACKED)
    assert packed.details == {"more": [1]}
    for key, table in tables.items():
        result = packed.result(f"cells/{key}")
        assert result.summary == {"of": key}
        assert result.per_query.equals(table)
        signs = [np.signbit(each["AP"].to_numpy()).tolist() for each in (result.per_query, table)]
        assert signs[0] == signs[1], "-0.0 is a number of its own"


def test_what_follows_from_ranks_is_stored_once(tmp_path: Path) -> None:
    pack(tmp_path / PACKED, results({"cell/results/one": rows(0)}), {})
    stored = pq.read_table(tmp_path / PACKED)
    assert stored["nDCG@10"].null_count == stored["AP"].null_count > 100
    assert set(pc.drop_null(stored["rank_distance"]).to_pylist()) > {0.0}, "what follows from the ranks is nothing more"


def test_rows_without_ranks_are_packed_as_well(tmp_path: Path) -> None:
    table = rows(0).drop_columns(["best_rank", "n_relevant"])
    pack(tmp_path / PACKED, results({"cell/results/one": table}), {})
    assert PackedStudy(tmp_path / PACKED).result("cells/cell/results/one").per_query.equals(table)


def test_a_study_without_results_is_packed_as_well(tmp_path: Path) -> None:
    pack(tmp_path / PACKED, {}, {"states": {}})
    packed = PackedStudy(tmp_path / PACKED)
    assert packed.details == {"states": {}}
    with pytest.raises(InputError, match="no rows of cells/cell/results/one"):
        packed.result("cells/cell/results/one")


def test_damaged_exports_are_one_clear_line(tmp_path: Path) -> None:
    home = MadeStudy(tmp_path).add("mono", seeds=[0]).write()
    study = read_study(home)
    path = study.runs[0]["benchmarks"]["toy"]["path"]
    result = study.result(path)
    pack(home / PACKED, {path: result}, {"results": study.results})
    assert read_study(home).result(path).per_query.equals(result.per_query)
    with pytest.raises(InputError, match="no rows of elsewhere"):
        PackedStudy(home / PACKED).result("elsewhere")
    pq.write_table(result.per_query, home / PACKED)
    with pytest.raises(
        InputError, match=r"per_query\.parquet: cannot be read .* expected what `isoglot study export` writes"
    ):
        read_study(home)
    (home / PACKED).write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"per_query\.parquet: not a Parquet file, or damaged"):
        read_study(home)


def test_flipped_bytes_of_an_export_are_one_clear_line_or_change_nothing_that_is_read(tmp_path: Path) -> None:
    table, random = rows(0), np.random.default_rng(0)
    pack(tmp_path / PACKED, {"cells/cell/results/one": Result({}, table)}, {})
    whole = (tmp_path / PACKED).read_bytes()
    said = []
    for _ in range(60):
        data = bytearray(whole)
        for at in random.integers(0, len(data), 8):
            data[at] ^= 1 << random.integers(0, 8)
        (tmp_path / PACKED).write_bytes(data)
        try:
            PackedStudy(tmp_path / PACKED).result("cells/cell/results/one")
        except InputError as error:
            said.append(str(error))
    assert len(said) > 30
    assert all(PACKED in line and "\n" not in line for line in said)
