"""Belebele from files in the hub's formats, and what is said when the hub cannot be reached."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from isoglot import hub
from isoglot.data.benchmarks.load import load_benchmark
from isoglot.data.benchmarks.members.belebele import belebele_languages
from isoglot.errors import InputError
from isoglot.evaluation.cells import make_rows
from isoglot.hub import hub_file, hub_revision
from isoglot.retrieval.ranks import Ranks


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("ISOGLOT_DATA", raising=False)


def row(link: str, number: int, lang: str) -> dict[str, object]:
    return {
        "link": f"https://example.org/{link}",
        "question_number": number,
        "flores_passage": f"passage {link} {lang}",
        "question": f"question {link} {number} {lang}",
        "mc_answer1": "a",
        "correct_answer_num": "1",
        "dialect": lang,
        "ds": "2023-05-03",
    }


def write(path: Path, rows: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(json.dumps(item) + "\n" for item in rows))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """en and hi-Latn have two passages and three questions; zh (Parquet) lacks the second passage."""
    home = tmp_path / "data" / "belebele"
    three = [("a", 1), ("b", 1), ("a", 2)]
    write(home / "data" / "eng_Latn.jsonl", [row(link, n, "en") for link, n in three])
    write(home / "hin_Latn.jsonl", [row(link, n, "hi") for link, n in three])
    write(home / "zho_Hans.parquet", [row("a", 1, "zh"), row("a", 2, "zh")])
    return tmp_path / "data"


def test_codes() -> None:
    codes = belebele_languages()
    assert len(codes) == len(set(codes.values())) == 122
    assert all(re.fullmatch("[a-z]{3}_[A-Z][a-z]{3}", code) for code in codes.values())
    known = {"ar": "arb_Arab", "ar-Latn": "arb_Latn", "zh": "zho_Hans", "zh-Hant": "zho_Hant", "sw": "swh_Latn"}
    assert known.items() <= codes.items()
    assert {"ps": "pbt_Arab", "fa": "pes_Arab", "nb": "nob_Latn", "fil": "tgl_Latn"}.items() <= codes.items()


def test_passages_of_a_question_in_every_language(data: Path) -> None:
    benchmark = load_benchmark("belebele", data_dir=data)
    assert benchmark.query_languages == ["en", "hi-Latn", "zh"]
    assert [len(texts) for texts in benchmark.corpus.values()] == [2, 2, 1]
    documents = [key.removeprefix("https://example.org/") for _, key, _ in benchmark.pooled_documents()]
    assert documents[0] == "en:https://example.org/a"
    found = {}
    for i, (lang, _, text) in enumerate(benchmark.pooled_queries()):
        part = benchmark.relevant[benchmark.indptr[i] : benchmark.indptr[i + 1]]
        found[lang, text] = [documents[d].replace("https://example.org/", "") for d in part]
    assert found["en", "question a 2 en"] == ["en:a", "hi-Latn:a", "zh:a"]
    assert found["hi-Latn", "question b 1 hi"] == ["en:b", "hi-Latn:b"]
    assert len(found) == 8
    # one id per question in all languages; questions over one passage are one group
    ids = {lang: list(texts.ids) for lang, texts in benchmark.queries.items()}
    assert ids["en"] == ids["hi-Latn"]
    assert benchmark.query_groups[0] == benchmark.query_groups[2] == "https://example.org/a"
    assert benchmark.about["license"] == "CC BY-SA 4.0"
    ranks = Ranks(benchmark.relevant * 0 + 1, benchmark.relevant * 0 + 1)
    assert len(make_rows("cross", benchmark, ranks)) == 2 * (2 + 1 + 2) + 2 * 2


def test_languages_are_read_alone(data: Path) -> None:
    assert load_benchmark("belebele", languages=["hi-Latn"], data_dir=data).query_languages == ["hi-Latn"]
    with pytest.raises(InputError, match="belebele has no language 'cy'"):
        load_benchmark("belebele", languages=["cy"], data_dir=data)
    with pytest.raises(InputError, match=r"data/deu_Latn.jsonl .*cannot be reached; put deu_Latn.jsonl into belebele/"):
        load_benchmark("belebele", languages=["en", "de"], data_dir=data)
    with pytest.raises(InputError, match="context 'paragraph' is for LAReQA"):
        load_benchmark("belebele", data_dir=data, context="paragraph")


def test_malformed(data: Path) -> None:
    path = data / "belebele" / "hin_Latn.jsonl"
    cases = [
        (
            [row("a", 1, "hi") | {"flores_passage": " "}],
            r"hin_Latn.jsonl:1: field 'flores_passage' is empty",
        ),
        ([row("a", 1, "hi"), row("a", 1, "hi")], r"hin_Latn.jsonl:2: question 1 of .* occurs twice"),
        ([], r"no question in it"),
    ]
    for rows, message in cases:
        write(path, rows)
        with pytest.raises(InputError, match=message):
            load_benchmark("belebele", data_dir=data)
    path.unlink()
    (data / "belebele" / "hin_Latn.parquet").write_bytes(b"no")
    with pytest.raises(InputError, match="not a Parquet file"):
        load_benchmark("belebele", data_dir=data)


def test_files_from_the_hub(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub's cache keeps a file under the commit it came from, which the benchmark repeats."""
    snapshot = tmp_path / "hub" / "datasets--facebook--belebele" / "snapshots" / "0123abc"
    write(snapshot / "data" / "deu_Latn.jsonl", [row("a", 1, "de")])
    asked = []

    def download(repo: str, path: str, *, repo_type: str, **_: Any) -> str:
        asked.append((repo, path, repo_type))
        return str(snapshot / path)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    benchmark = load_benchmark("belebele", languages=["de", "en"], data_dir=data)
    assert asked == [("facebook/belebele", "data/deu_Latn.jsonl", "dataset")]
    assert benchmark.about["revision"] == "facebook/belebele@0123abc"
    assert hub_revision("a/b", Path("/tmp/x.jsonl")) == {}


def test_a_download_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(repo: str, path: str, **_: Any) -> str:
        raise OSError("two\nlines")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    monkeypatch.setattr(hub, "hub_reachable", lambda: True)
    with pytest.raises(InputError, match=r"^x of the dataset a/b .* could not be downloaded \(OSError\); do that$"):
        hub_file("a/b", "x", "do that")


@pytest.mark.parametrize("kind", ["git", "lfs"])
def test_a_damaged_download_is_not_used(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import huggingface_hub

    content = b"1\tquestion\n"
    known = hashlib.sha256(content) if kind == "lfs" else hashlib.sha1(b"blob %d\0" % len(content) + content)
    home, commit = tmp_path / "hub" / "datasets--a--b", "c" * 40
    for name in ("blobs", "refs", f"snapshots/{commit}"):
        (home / name).mkdir(parents=True)
    blob = home / "blobs" / known.hexdigest()
    blob.write_bytes(content)
    (home / "refs" / "main").write_text(commit)
    (home / "snapshots" / commit / "topics.tsv").symlink_to(blob)
    given = {"cache_dir": str(tmp_path / "hub")}
    original, asked = huggingface_hub.hf_hub_download, []

    def download(*words: str, force_download: bool = False, **more: Any) -> str:
        asked.append(force_download)
        if force_download:
            blob.write_bytes(content)
        return str(original(*words, **{**more, **given, "local_files_only": True}))

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    assert hub_file("a/b", "topics.tsv", "way out").read_bytes() == content
    blob.write_bytes(content.replace(b"1", b"2"))
    with pytest.raises(InputError, match=r"damaged on this machine .* and the hub cannot be reached; way out"):
        hub_file("a/b", "topics.tsv", "way out")
    monkeypatch.setattr(hub, "hub_reachable", lambda: True)
    assert hub_file("a/b", "topics.tsv", "way out").read_bytes() == content
    assert asked == [False, False, False, True]
    assert "it is downloaded again" in capsys.readouterr().err
