"""MIRACL and Mr. TyDi from files: streamed corpora, judgments within a language, what is refused and with which words."""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from isoglot.data.benchmarks.load import load_benchmark
from isoglot.data.benchmarks.mapped import Mapped, View, map_corpus
from isoglot.data.benchmarks.members.miracl import MIRACL
from isoglot.data.benchmarks.members.mr_tydi import MR_TYDI
from isoglot.data.benchmarks.wikipedia import languages_here
from isoglot.errors import InputError
from isoglot.evaluation.evaluate import evaluate
from isoglot.files import cache_dir
from isoglot.records import Benchmark

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of its own, no network, no data but what the test writes."""
    monkeypatch.setenv("ISOGLOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("ISOGLOT_DATA", raising=False)


def write_shard(path: Path, *rows: tuple[str, str, str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps({"docid": key, "title": title, "text": body}) + "\n" for key, title, body in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two languages with the same ids; sw lies flat and in two packed shards, yo in the hub's layout."""
    home = tmp_path / "data" / "miracl"
    home.mkdir(parents=True)
    (home / "topics.miracl-v1.0-sw-dev.tsv").write_text("6\tBandari iko wapi?\n8\tMji mkuu ni gani?\n")
    (home / "qrels.miracl-v1.0-sw-dev.tsv").write_text("6 Q0 7#0 1\n6 Q0 7#1 0\n8 Q0 9#2 1\n8\tQ0\t7#0\t0\n")
    write_shard(home / "corpus" / "sw" / "docs-10.jsonl.gz", ("9#2", "", "Dodoma"))
    write_shard(home / "corpus" / "sw" / "docs-2.jsonl.gz", ("7#0", "Bandari", "Mombasa"), ("7#1", "Bandari", "samaki"))
    folder = home / "miracl-v1.0-yo"
    (folder / "topics").mkdir(parents=True)
    (folder / "qrels").mkdir()
    (folder / "topics" / "topics.miracl-v1.0-yo-dev.tsv").write_text("7#0\tOdun wo?\n")
    (folder / "qrels" / "qrels.miracl-v1.0-yo-dev.tsv").write_text("7#0\tQ0\t7#0\t1\n")
    write_shard(home / "miracl-corpus-v1.0-yo" / "docs-0.jsonl.gz", ("7#0", "Ere", "1896"), ("7#1", "Ere", "1900"))
    return tmp_path / "data"


def answers(benchmark: Benchmark) -> dict[str, list[str]]:
    documents = [f"{lang}/{key}" for lang, key, _ in benchmark.pooled_documents()]
    return {
        f"{lang}/{key}": [documents[d] for d in benchmark.relevant[benchmark.indptr[i] : benchmark.indptr[i + 1]]]
        for i, (lang, key, _) in enumerate(benchmark.pooled_queries())
    }


def test_two_languages(data: Path) -> None:
    benchmark = load_benchmark("miracl", data_dir=data)
    assert benchmark.query_languages == benchmark.corpus_languages == ["sw", "yo"]
    # docs-2 comes before docs-10; an empty title adds no space
    assert list(benchmark.corpus["sw"].ids) == ["7#0", "7#1", "9#2"]
    assert list(benchmark.corpus["sw"].texts) == ["Bandari Mombasa", "Bandari samaki", "Dodoma"]
    # grade 0 is not relevant, and relevance stays in the query's language though ids are shared
    assert answers(benchmark) == {"sw/6": ["sw/7#0"], "sw/8": ["sw/9#2"], "yo/7#0": ["yo/7#0"]}
    assert benchmark.judged.tolist() == [0, 1, 2, 3]
    assert benchmark.about["passage"] == "title+text"
    assert benchmark.about["license"] == "Apache-2.0"
    assert "comparable" not in benchmark.about


def test_text_alone_and_one_language(data: Path) -> None:
    benchmark = load_benchmark("miracl", languages=["swa"], data_dir=data, passage="text")
    assert list(benchmark.corpus) == ["sw"]
    assert list(benchmark.corpus["sw"].texts) == ["Mombasa", "samaki", "Dodoma"]
    assert benchmark.about["passage"] == "text"
    with pytest.raises(InputError, match="unknown passage 'title'"):
        load_benchmark("miracl", data_dir=data, passage="title")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="miracl has no language 'tr'; it has: ar, bn"):
        load_benchmark("miracl", languages=["tr"], data_dir=data)


def test_data_in_the_environment(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOGLOT_DATA", str(data))
    assert languages_here(MIRACL) == ["sw", "yo"]
    assert load_benchmark("miracl").n_queries == 3


def test_judged_but_not_in_the_corpus(data: Path) -> None:
    (data / "miracl" / "corpus" / "sw" / "docs-10.jsonl.gz").unlink()
    with pytest.raises(
        InputError, match=r"1 judged passages are not in the corpus, first: 9#2 \(.*qrels.*sw-dev.tsv\)"
    ):
        load_benchmark("miracl", data_dir=data)
    benchmark = load_benchmark("miracl", data_dir=data, allow_missing=True)
    assert answers(benchmark)["sw/8"] == []
    assert benchmark.about["comparable"].startswith("no: 1 judged passages")


def test_without_files_and_network(data: Path, tmp_path: Path) -> None:
    """One line that says which file, and where it could be put."""
    with pytest.raises(InputError, match=r"miracl: no topics on this machine; name languages .*106,332,152 passages"):
        load_benchmark("miracl", data_dir=tmp_path)
    with pytest.raises(InputError, match=r"topics.miracl-v1.0-ko-dev.tsv of the dataset miracl/miracl .*--data-dir"):
        load_benchmark("miracl", languages=["ko"], data_dir=data)
    for path in (data / "miracl" / "corpus" / "sw").iterdir():
        path.unlink()
    with pytest.raises(
        InputError, match=r"docs-0.jsonl.gz .*cannot be reached; put its passages into miracl/corpus/sw"
    ) as e:
        load_benchmark("miracl", languages=["sw"], data_dir=data)
    assert "\n" not in str(e.value)


def test_malformed_files(data: Path) -> None:
    home = data / "miracl"
    shard = home / "corpus" / "sw" / "docs-2.jsonl.gz"
    good = shard.read_bytes()
    cases = [
        (shard, gzip.compress(b'{"docid": "1"}\n', mtime=0), r"docs-2.jsonl.gz:1: expected text in 'docid'"),
        (
            shard,
            gzip.compress(b'{"docid": "7#0", "text": "a"}\n[1]\n', mtime=0),
            r"docs-2.jsonl.gz:2: expected an object",
        ),
        (shard, good[:-12], r"not a complete gzip file"),
        (shard, gzip.compress(b'{"docid": "9#2", "text": "a"}\n', mtime=0), r"'9#2' occurs twice \(passages 1 and 2\)"),
        (home / "topics.miracl-v1.0-sw-dev.tsv", b"6 no tab\n", r"sw-dev.tsv:1: expected a query id, a tab"),
        (home / "topics.miracl-v1.0-sw-dev.tsv", b"6\ta\n6\tb\n", r"sw-dev.tsv:2: query id '6' is already on line 1"),
        (home / "qrels.miracl-v1.0-sw-dev.tsv", b"9 Q0 7#0 1\n", r"sw-dev.tsv:1: query '9' is not among the topics"),
    ]
    for path, content, message in cases:
        before = path.read_bytes()
        path.write_bytes(content)
        with pytest.raises(InputError, match=message):
            load_benchmark("miracl", data_dir=data)
        path.write_bytes(before)
    assert not list((cache_dir() / "corpora").glob(".*")), "half a file was left in the cache"


def test_mr_tydi(tmp_path: Path) -> None:
    folder = tmp_path / "mr-tydi" / "mrtydi-v1.1-swahili"
    (folder / "ir-format-data").mkdir(parents=True)
    (folder / "ir-format-data" / "topics.test.txt").write_text("0\tNani?\n")
    (folder / "ir-format-data" / "qrels.test.txt").write_text("0 Q0 3#1 1\n")
    write_shard(folder / "corpus.jsonl.gz", ("3#0", "Watu", "mtu"), ("3#1", "Watu", "yeye"))
    benchmark = load_benchmark("mr-tydi", data_dir=tmp_path)
    assert answers(benchmark) == {"sw/0": ["sw/3#1"]}
    assert benchmark.about["split"] == "test"


def test_mapped_corpus_is_a_sequence(tmp_path: Path) -> None:
    rows = [(f"{i}#0", f"t{i}" if i % 2 else "", f"text {i}") for i in range(20_000)]  # two record batches
    files = [
        write_shard(tmp_path / "docs-0.jsonl", *rows[:12_000]),
        write_shard(tmp_path / "docs-1.jsonl.gz", *rows[12_000:]),
    ]
    corpus = map_corpus(files, "toy")
    assert isinstance(corpus.ids, Mapped)
    assert list(corpus.ids) == [key for key, _, _ in rows]
    expected = [f"{title} {text}" if title else text for _, title, text in rows]
    assert list(corpus.passages) == expected
    assert [corpus.passages[i] for i in (0, 16_383, 16_384, -1)] == [expected[i] for i in (0, 16_383, 16_384, -1)]
    assert list(corpus.passages[16_380:16_390:3]) == expected[16_380:16_390:3]
    assert list(corpus.passages[10:20][2:4]) == expected[12:14]
    assert corpus.ids.find(["16384#0", "7#0", "none"]) == {"16384#0": 16_384, "7#0": 7}
    assert list(View(corpus.texts, np.array([3, 1]))) == ["text 3", "text 1"]
    with pytest.raises(IndexError):
        corpus.texts[20_000]


def test_the_arrow_file_is_built_once_and_again_when_it_is_damaged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shard = write_shard(tmp_path / "docs-0.jsonl", ("1#0", "", "old"))
    assert list(map_corpus([shard], "toy").texts) == ["old"]
    (built,) = (cache_dir() / "corpora").iterdir()
    stamp = built.stat().st_mtime_ns
    assert list(map_corpus([shard], "toy").texts) == ["old"]
    assert built.stat().st_mtime_ns == stamp
    arrow = built / "texts.arrow"
    whole = arrow.read_bytes()
    for damage in (whole[:-9], whole.replace(b"old", b"odd"), whole[: len(whole) // 2]):
        arrow.write_bytes(damage)
        assert list(map_corpus([shard], "toy").texts) == ["old"]
        assert arrow.read_bytes() == whole
        assert "the copy of the corpus toy is made again" in capsys.readouterr().err
    os.utime(write_shard(shard, ("1#0", "", "new")), ns=(0, 0))
    assert list(map_corpus([shard], "toy").texts) == ["new"]


def test_layouts() -> None:
    # Zhang et al. 2023, Table 3: 13,495 dev queries and 106,332,152 passages
    assert (len(MIRACL.languages), MIRACL.n_queries, MIRACL.n_passages) == (18, 13_495, 106_332_152)
    assert MIRACL.languages["sw"] == ("sw", 1, 482, 131_924)
    assert MIRACL.languages["en"].shards == 66
    # Zhang et al. 2021, Table 1: 58,043,326 passages in eleven languages
    assert (len(MR_TYDI.languages), MR_TYDI.n_queries, MR_TYDI.n_passages) == (11, 8_661, 58_043_326)
    assert MR_TYDI.languages["sw"].name == "swahili"


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("miracl_generated", ROOT / "benchmarks" / "miracl_generated.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_corpus(data: Path, tmp_path: Path) -> None:
    made = generator()
    made.generate(tmp_path / "one", ["sw", "yo"], 50, 0, data)
    made.generate(tmp_path / "two", ["sw", "yo"], 50, 0, data)
    one, two = (
        {path.name: gzip.decompress(path.read_bytes()) for path in (tmp_path / name).rglob("*.gz")}
        for name in ("one", "two")
    )
    assert one == two
    with pytest.raises(InputError, match="the judged passages of sw yo alone are 4"):
        made.generate(tmp_path / "three", ["sw", "yo"], 3, 0, data)


@pytest.mark.realdata
def test_the_four_languages_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = real_miracl()
    monkeypatch.setenv("ISOGLOT_DATA", str(real.parent))
    made = generator()
    languages = ["bn", "ko", "sw", "yo"]
    work = made.generate(tmp_path / "work", languages, 12_000, 0)
    benchmark = load_benchmark("miracl", languages=languages, data_dir=work)
    assert {lang: len(texts) for lang, texts in benchmark.queries.items()} == {
        lang: MIRACL.languages[lang].queries for lang in languages
    }
    assert benchmark.n_documents == 12_000
    # distinct docids per language in the qrels files, and rows with grade 1
    assert len(benchmark.judged) == 3729 + 2835 + 3514 + 942
    assert len(benchmark.relevant) == 863 + 547 + 910 + 144
    result = evaluate(
        made.HashModel(64), benchmark, settings=["mono", "multi"], measures=["nDCG@10", "R@100"], progress=False
    )
    assert set(result.summary["per_language"]["mono"]) == set(languages)
    assert 0.1 < result.summary["settings"]["mono"]["nDCG@10"] <= 1
    small = load_benchmark("miracl", languages=["yo"], data_dir=work, corpus_sample=10)
    assert small.n_documents == 942 + 10


def real_miracl() -> Path:
    """The folder with MIRACL's topics; skips without it, fails with ISOGLOT_REQUIRE_DATA=1 as `tests.realdata` does."""
    folder = Path(_ROOT or "") / "miracl"
    if _ROOT and folder.is_dir():
        return folder
    reason = f"miracl is not there: ISOGLOT_DATA is {'set to ' + _ROOT if _ROOT else 'not set'}"
    if os.environ.get("ISOGLOT_REQUIRE_DATA") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


_ROOT = os.environ.get("ISOGLOT_DATA")  # before the fixture above takes it away
