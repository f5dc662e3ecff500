"""Mined negatives: those of a brute force in numpy."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from isoglot.cli.main import main
from isoglot.data.pairs.loading import load_pairs
from isoglot.data.pairs.packing import pack_pairs
from isoglot.data.pairs.table import PairTable
from isoglot.data.sameness import text_key
from isoglot.errors import InputError
from isoglot.retrieval import mine as module
from isoglot.retrieval import mine_file as file_module
from isoglot.retrieval import store as store_module
from isoglot.retrieval.mine import Mine, mine
from isoglot.retrieval.mine_file import mine_file
from isoglot.retrieval.store import EmbeddingStore
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


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A model that is a folder, in whose place the one above is loaded; and pairs in a file. Blocks and shards are small."""
    monkeypatch.setattr(module, "_QUERIES_AT_ONCE", 25)
    monkeypatch.setattr("isoglot.models.load.load_model", lambda *_, **__: Model())
    monkeypatch.setattr("isoglot.models.content.content_of", lambda name: {"digest": name})
    small = {**(EmbeddingStore.encode.__kwdefaults__ or {}), "shard_size": 40}
    monkeypatch.setattr(EmbeddingStore.encode, "__kwdefaults__", small)
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text("".join(json.dumps(vars(row)) + "\n" for row in random_rows(5)))
    return tmp_path / "model", pairs


class Cut(BaseException):
    """In the place of SIGKILL."""


def cut(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, after: int) -> list[int]:
    """Stop at the call of a function after so many others; counts the calls."""
    original, calls = getattr(owner, name), [0]

    def stop(*args: Any, **given: Any) -> Any:
        calls[0] += 1
        if calls[0] > after:
            raise Cut
        return original(*args, **given)

    monkeypatch.setattr(owner, name, stop)
    return calls


ASKED = Mine(model="-", number=6, to_rank=12, margin=0.3, other_languages=0.5)


def test_a_file_has_what_memory_has(files: tuple[Path, Path], tmp_path: Path) -> None:
    output = tmp_path / "mined.jsonl"
    facts = mine_file([str(files[1])], output, ASKED, progress=False)
    table = load_pairs(files[1])
    expected = mine(Model(), table, ASKED, progress=False)
    mined = load_pairs(output)
    assert mined.table.column("negatives").to_pylist() == expected.table.column("negatives").to_pylist()
    assert mined.table.drop_columns(["negatives"]).equals(table.table.drop_columns(["negatives"]))
    assert facts["rows"] == len(table)
    assert facts["without"] == sum(not texts for texts in expected.table.column("negatives").to_pylist())
    pack_pairs([files[1]], tmp_path / "packed")
    mine_file([str(tmp_path / "packed")], tmp_path / "again.jsonl", ASKED, progress=False)
    assert (tmp_path / "again.jsonl").read_bytes() == output.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.jsonl", "mined.jsonl", "packed", "pairs.jsonl"]


@pytest.mark.parametrize(
    ("owner", "name", "after"),
    [
        (store_module, "save_array", 2),
        (module.Search, "negatives", 0),
        (module.Search, "negatives", 3),
        (file_module, "save_array", 3),
        (file_module, "dump_pairs", 0),
    ],
)
@pytest.mark.parametrize("own_store", [False, True])
def test_a_killed_search_goes_on(
    files: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    after: int,
    own_store: bool,
) -> None:
    store = tmp_path / "store" if own_store else None
    given = {"progress": False, "store": store}
    mine_file([str(files[1])], tmp_path / "whole.jsonl", ASKED, progress=False)
    output = tmp_path / "mined.jsonl"
    with monkeypatch.context() as patch:
        cut(patch, owner, name, after)
        with pytest.raises(Cut):
            mine_file([str(files[1])], output, ASKED, **given)  # type: ignore[arg-type]
    assert not output.exists()
    with monkeypatch.context() as patch:
        packed, found = cut(patch, file_module, "pack_pairs", 99), cut(patch, module.Search, "negatives", 999)
        encoded = cut(patch, store_module, "save_array", 999)
        mine_file([str(files[1])], output, ASKED, **given)  # type: ignore[arg-type]
    assert output.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert not (tmp_path / "mined.jsonl.unfinished").exists()
    assert own_store == (tmp_path / "store").exists()
    blocks = sum(1 for _ in search_of(files[1]).blocks(ASKED))
    assert packed == [0], "the pairs are not read again"
    if owner is not store_module:
        assert encoded == [0], "nothing is encoded again"
        assert found[0] == (blocks - after if name != "dump_pairs" else 0), "what was found is not searched for again"


def search_of(pairs: Path) -> module.Search:
    table = load_pairs(pairs)
    nothing = np.zeros((len(table), 6), dtype=np.float32)
    return module.Search.of(table, nothing, nothing)


def test_another_search_begins_anew(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output, work = tmp_path / "mined.jsonl", tmp_path / "mined.jsonl.unfinished"
    for other in (Mine(model="-", number=2), Mine(model="else", number=6, to_rank=12, margin=0.3, other_languages=0.5)):
        with monkeypatch.context() as patch:
            cut(patch, module.Search, "negatives", 2)
            with pytest.raises(Cut):
                mine_file([str(files[1])], output, ASKED, progress=False, overwrite=True)
        assert "is kept in" in capsys.readouterr().err
        mine_file([str(files[1])], output, other, progress=False, overwrite=True)
        assert "starting anew" in capsys.readouterr().err
        mine_file([str(files[1])], tmp_path / "fresh.jsonl", other, progress=False, overwrite=True)
        assert output.read_bytes() == (tmp_path / "fresh.jsonl").read_bytes()
    # a damaged block is found anew
    with monkeypatch.context() as patch:
        cut(patch, module.Search, "negatives", 3)
        with pytest.raises(Cut):
            mine_file([str(files[1])], output, ASKED, progress=False, overwrite=True)
    block = sorted((work / "blocks").iterdir())[1]
    block.write_bytes(block.read_bytes()[:-1] + b"x")
    mine_file([str(files[1])], output, ASKED, progress=False, overwrite=True)
    mine_file([str(files[1])], tmp_path / "fresh.jsonl", ASKED, progress=False, overwrite=True)
    assert output.read_bytes() == (tmp_path / "fresh.jsonl").read_bytes()
    with monkeypatch.context() as patch:
        stopped = SimpleNamespace(rmtree=module.Mine)
        patch.setattr(file_module, "shutil", stopped)  # when everything is done
        cut(patch, stopped, "rmtree", 0)
        with pytest.raises(Cut):
            mine_file([str(files[1])], output, ASKED, progress=False, overwrite=True)
    assert work.exists()
    with pytest.raises(InputError, match="exists already; give --overwrite"):
        mine_file([str(files[1])], output, ASKED, progress=False)
    assert not work.exists()
    work.mkdir()
    (work / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="is in the way"):
        mine_file([str(files[1])], output, ASKED, progress=False, overwrite=True)
    assert (work / "mine.txt").is_file()


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
