"""Mined negatives: those of a brute force in numpy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoglot.cli.main import main
from isoglot.data.pairs.loading import load_pairs
from isoglot.data.pairs.table import PairTable
from isoglot.data.sameness import text_key
from isoglot.errors import InputError
from isoglot.retrieval import mine as module
from isoglot.retrieval.mine import Mine, mine
from tests.batching.test_negatives import groups_of, random_rows
from tests.training.tiny import pair_table, tiny_base


class Model:
    """A vector for every text, the same in each process; texts that are the same have the same one."""

    def encode_query(self, texts: list[str], **_: Any) -> np.ndarray:
        return np.array([self._vector(text) for text in texts])

    encode_document = encode_query

    @staticmethod
    def _vector(text: str) -> np.ndarray:
        seed = list(text_key(text.replace("query", "text")))
        return np.random.default_rng(seed).standard_normal(6).astype(np.float32)


@pytest.mark.parametrize(
    "asked",
    [
        Mine(model="-", number=3, margin=-3),
        Mine(model="-", number=100, from_rank=4, to_rank=9, margin=-0.2),
        Mine(model="-", number=6, to_rank=12, margin=0.3, other_languages=0.5),
        Mine(model="-", number=4, to_rank=10_000, margin=0.1, other_languages=1),
    ],
)
def test_window_and_margin(asked: Mine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_QUERIES_AT_ONCE", 7)
    rows = random_rows(5)
    table, groups = PairTable.from_rows(rows), groups_of(rows)
    mined = mine(Model(), table, asked, progress=False)
    assert mined.digest != table.digest
    assert mined.table.drop_columns(["negatives"]).equals(table.table.drop_columns(["negatives"]))

    unit = {text: vector / np.linalg.norm(vector.astype(np.float64)) for row in rows for text in (row.query, row.passage)
            for vector in [Model._vector(text)]}  # fmt: skip
    abroad = round(asked.number * asked.other_languages)
    found = 0
    for row, texts in zip(rows, mined.table.column("negatives").to_pylist()):
        own = groups[row.source, row.id]
        gold = unit[row.query] @ unit[row.passage]
        expected: list[bytes] = []
        for home, most in ((True, asked.number - abroad), (False, abroad)):
            others = {
                text_key(other.passage): unit[row.query] @ unit[other.passage]
                for other in rows
                if (other.lang == row.lang) == home and (other.source, other.id) not in own
            }
            ranked = sorted(others, key=lambda key: -others[key])[asked.from_rank - 1 : asked.to_rank]
            ranked = [key for key in ranked if others[key] <= gold - asked.margin][:most]
            expected += [key for key in ranked if key not in expected]
        assert list(map(text_key, texts)) == expected
        assert not {text_key(other.passage) for other in rows if (other.source, other.id) in own} & set(expected)
        found += len(texts)
    assert found > len(rows) // 2


def test_settings_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="from_rank 9 is behind to_rank 3"):
        Mine(model="-", from_rank=9, to_rank=3)
    alone = pair_table(languages=("de",))
    with pytest.raises(InputError, match="one language only"):
        mine(Model(), alone, Mine(model="-", other_languages=0.5), progress=False)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base, output = tiny_base(tmp_path / "base"), tmp_path / "mined.jsonl"
    lines = [
        {"id": f"{n}", "lang": lang, "query": f"{lang}{n}", "passage": f"{lang}{n} {lang}{n + 1}", "source": "own"}
        for n in range(9)
        for lang in ("de", "en")
    ]
    (tmp_path / "pairs.jsonl").write_text("\n".join(map(json.dumps, lines)))
    words = ["data", "mine", str(tmp_path / "pairs.jsonl"), "--model", str(base), "--number", "4", "--margin", "-2"]
    assert main([*words, "--output", str(output), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"path": str(output), "rows": 18, "without": 0, "mean": 4.0}
    table = load_pairs(output)
    assert table.index.sources == ("own",)
    for row in table.table.to_pylist():
        assert all(text.startswith(row["lang"]) for text in row["negatives"])
    assert main([*words, "--output", str(output)]) == 2
    assert "exists already; give --overwrite" in capsys.readouterr().err
    assert main([*words, "--output", str(output), "--overwrite", "--other-languages", "1"]) == 0
    assert "18 rows, 0 of them without any negative, 4.00 per row" in capsys.readouterr().out
    for row in load_pairs(output).table.to_pylist():
        assert not any(text.startswith(row["lang"]) for text in row["negatives"])
    assert main([*words, "--output", str(tmp_path / "mined.csv")]) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base", "mined.jsonl", "pairs.jsonl"]
