"""The catalogue against the benchmarks themselves, `isoglot data list`, and the worked example of docs/benchmarks.md."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoglot.cli.main import main
from isoglot.data.benchmarks.catalog import BENCHMARKS, NamedBenchmark, Request, catalog
from isoglot.data.benchmarks.load import load_benchmark
from isoglot.data.pairs.source import SOURCES
from isoglot.errors import InputError
from isoglot.records import Benchmark, Float32Array
from tests.realdata import lareqa_dir

DOCS = Path(__file__).parents[2] / "docs" / "benchmarks.md"


class Letters:
    """A model that counts letters."""

    prompts: dict[str, str] = {}  # noqa: RUF012

    def encode_query(self, texts: Sequence[str], **_: Any) -> Float32Array:
        return np.array([[text.lower().count(letter) for letter in "abdefinorst"] for text in texts], dtype=np.float32)

    encode_document = encode_query


def test_every_name_is_there() -> None:
    assert [entry.name for entry in catalog()] == [
        "faq",
        "xquad-r",
        "xquad-r-natural",
        "mlqa-r",
        "mlqa-r-natural",
        "belebele",
        "miracl",
        "mr-tydi",
    ]
    assert {entry.name for entry in catalog()} == set(BENCHMARKS.names())


def test_sizes_of_the_built_in_benchmark() -> None:
    entry = next(entry for entry in catalog() if entry.name == "faq")
    benchmark = load_benchmark("faq")
    assert (entry.queries, entry.passages) == (benchmark.n_queries, benchmark.n_documents)
    assert list(entry.languages) == benchmark.query_languages


def test_another_benchmark_is_one_registration(capsys: pytest.CaptureFixture[str]) -> None:
    def load(request: Request) -> Benchmark:
        return replace(load_benchmark("faq", languages=request.languages), name="tiny")

    entry = NamedBenchmark(
        name="tiny",
        languages=("de", "en"),
        queries=144,
        passages=624,
        license="CC0-1.0",
        source="here",
        help="questions of a test",
        load=load,
        available=lambda _: "built in",
    )
    BENCHMARKS.register(entry)
    try:
        assert load_benchmark("tiny", languages=["de"]).query_languages == ["de"]
        with pytest.raises(InputError, match="tiny has no paragraphs around its passages"):
            load_benchmark("tiny", context="paragraph")
        with pytest.raises(InputError, match=r"unknown benchmark 'tniy' \(did you mean 'tiny'"):
            load_benchmark("tniy")
        assert main(["data", "list"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[10].split()[:4] == ["tiny", "2", "144", "624"], "after those of isoglot"
        assert lines[-1] == "tiny: questions of a test; de en"
    finally:
        BENCHMARKS.remove("tiny")


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["xquad-r", "mlqa-r"])
def test_sizes_of_lareqa(name: str) -> None:
    entry = next(entry for entry in catalog() if entry.name == name)
    benchmark = load_benchmark(name, data_dir=lareqa_dir(name))
    assert (entry.queries, entry.passages) == (benchmark.n_queries, benchmark.n_documents)
    assert list(entry.languages) == benchmark.query_languages


def test_list(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ISOGLOT_DATA", raising=False)
    monkeypatch.setenv("ISOGLOT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "mine" / "queries").mkdir(parents=True)
    (tmp_path / "mine" / "queries" / "sw.jsonl").write_text('{"_id": "1", "text": "a"}\n')
    (tmp_path / "miracl").mkdir()
    (tmp_path / "miracl" / "topics.miracl-v1.0-yo-dev.tsv").write_text("1\ta\n")
    assert main(["data", "list", "--data-dir", str(tmp_path), "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["faq"]["available"] == "built in"
    assert rows["xquad-r"]["available"] == "download"
    assert rows["belebele"]["available"] == "hub"
    assert rows["miracl"]["available"] == "here: topics of yo; rest: hub"
    assert rows["mine"] == {
        "name": "mine",
        "languages": ["sw"],
        "available": f"here: {tmp_path / 'mine'}",
        "what": "own folder",
    }
    assert main(["data", "list"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^miracl +18 +13,495 +106,332,152 +mono multi +Apache-2.0 +hub$", out, re.MULTILINE)
    assert main(["data", "list", "--data-dir", str(tmp_path / "no")]) == 2
    assert "no: no such folder" in capsys.readouterr().err


def test_the_table_of_the_docs() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for entry in catalog():
        start = f"| `{entry.name}` | {len(entry.languages)} | {entry.queries:,} | {entry.passages:,} |"
        assert start in text
        assert entry.license in next(line for line in text.splitlines() if line.startswith(start))


@pytest.mark.skipif(shutil.which("bash") is None, reason="the example is written for bash")
def test_the_worked_example(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The example's lines are run as they stand; only the model is another one."""
    block, *_ = re.findall(r"```sh\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    commands = [line.split()[1:] for line in block.splitlines() if line.startswith("isoglot ")]
    shell = "\n".join(line for line in block.splitlines() if not line.startswith("isoglot "))
    subprocess.run(["bash", "-euc", shell], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("isoglot.models.load.load_model", lambda *_, **__: Letters())
    assert len(commands) == 2
    for words in commands:
        assert main(words) == 0
    assert re.search(r"^xtyle +2 ", capsys.readouterr().out, re.MULTILINE)
    summary = json.loads((tmp_path / "result" / "summary.json").read_text())
    assert set(summary["settings"]) == {"mono", "cross", "multi"}
    assert summary["about"]["license"] == "CC0-1.0"
    assert "rank_distance" in summary["bias"]


def test_folder_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packed files, texts without their titles, and a folder called by its name alone."""
    import gzip

    for part, row in (("queries", {"_id": "q", "text": "a"}), ("corpus", {"_id": "d", "title": "T", "text": "b"})):
        (tmp_path / "mine" / part).mkdir(parents=True)
        (tmp_path / "mine" / part / "sw.jsonl.gz").write_bytes(gzip.compress(json.dumps(row).encode()))
    (tmp_path / "mine" / "qrels.tsv").write_text("q d 1\n")
    monkeypatch.setenv("ISOGLOT_DATA", str(tmp_path))
    assert list(load_benchmark("mine").corpus["sw"].texts) == ["T b"]
    plain = load_benchmark("mine", passage="text")
    assert list(plain.corpus["sw"].texts) == ["b"]
    assert plain.about["passage"] == "text"


def test_the_table_of_sources_in_the_docs() -> None:
    text = DOCS.with_name("pairs.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    for name in SOURCES.names():
        assert any(f"`{name}`" in row.split("|")[1] for row in rows), name
