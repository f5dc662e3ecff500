"""Collections: what is indexed is found, once encoded is not encoded again, and nothing that was kept is lost."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoglot.data.document_rows import DocumentRow, read_corpus
from isoglot.disk import UnwritableError
from isoglot.errors import InputError
from isoglot.files import read_json, write_json
from isoglot.retrieval.collection import Collection, Searcher, build, words
from isoglot.retrieval.collection.build import index
from isoglot.retrieval.collection.chunking import Chunker, encoded, front
from isoglot.retrieval.collection.documents import Documents, as_digests
from isoglot.retrieval.collection.settings import CollectionSettings
from isoglot.retrieval.collection.snippets import sentences
from isoglot.retrieval.collection.vectors import Vectors
from tests.training.tiny import WORDS

Zoo = Callable[[str], Path]
LANGUAGES = ("de", "en", "th")


def text_of(number: int, size: int = 6) -> str:
    chosen = random.Random(number).sample(WORDS, size)
    return f"{' '.join(chosen)} ."


def rows(n: int, **more: Any) -> list[dict[str, Any]]:
    return [
        {"id": f"d{i}", "lang": LANGUAGES[i % 3], "text": text_of(i), "topic": "even" if i % 2 == 0 else "odd", **more}
        for i in range(n)
    ]


def write(path: Path, documents: Sequence[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in documents), encoding="utf-8")
    return str(path)


@pytest.fixture
def model(zoo: Zoo) -> str:
    return str(zoo("mean"))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Passages that were encoded for the collection."""
    seen: list[str] = []
    real = build.encode_texts

    def counted(model: Any, texts: Sequence[str], kind: Any, *args: Any, **options: Any) -> Any:
        seen.extend(text for text in texts if text != "width")
        return real(model, texts, kind, *args, **options)

    monkeypatch.setattr(build, "encode_texts", counted)
    return seen


def made(tmp_path: Path, model: str, documents: Sequence[dict[str, Any]], **options: Any) -> dict[str, Any]:
    corpus = write(tmp_path / "corpus.jsonl", documents)
    return index(model, corpus, tmp_path / "index", progress=False, **options)


def search(path: Path, query: str, k: int = 5, **options: Any) -> Any:
    with Collection.open(path) as collection, Searcher(collection) as searcher:
        return searcher.search([query], k, **options)[0]


def test_a_document_is_found_by_its_text_with_all_that_its_row_said(tmp_path: Path, model: str) -> None:
    documents = rows(30)
    documents[7] |= {"title": "A title", "url": "https://example.org/7", "tags": ["x", "y"]}
    record = made(tmp_path, model, documents)
    assert (record["added"], record["documents"], record["languages"]) == (30, 30, {"de": 10, "en": 10, "th": 10})
    with Collection.open(tmp_path / "index") as collection:
        assert collection.get(["d7", "nothing", "d0"])[0].metadata == {"topic": "odd", "tags": ["x", "y"]}
        assert collection.fields() == {"topic": ["even", "odd"]}
        with Searcher(collection) as searcher:
            answers = searcher.search([text_of(i) for i in range(30) if i != 7], 3)
            assert [answer.hits[0].id for answer in answers] == [f"d{i}" for i in range(30) if i != 7]
            assert len(answers[0].hits) == 3
            _keys, vectors = collection.vectors(searcher.entry.name)
    assert vectors.dtype == np.float16
    np.testing.assert_allclose(np.linalg.norm(vectors.astype(np.float32), axis=1), 1, atol=2e-3)


def test_filters_hold_and_an_empty_answer_says_why(tmp_path: Path, model: str) -> None:
    made(tmp_path, model, rows(30))
    path = tmp_path / "index"
    own = search(path, text_of(3), 20, languages=["th", "de"], where={"topic": "odd"})
    assert {hit.lang for hit in own.hits} == {"de", "th"}
    assert all(hit.metadata["topic"] == "odd" for hit in own.hits)
    assert len(own.hits) == 10
    assert search(path, "x", languages=["fr"]).why == "No document is in fr; there are: de (10), en (10), th (10)."
    assert search(path, "x", where={"colour": "red"}).why == "No document has 'colour'; there are: topic."
    assert search(path, "x", where={"topic": ["red"]}).why == "No document has topic = red; there are: even, odd."
    for options in ({"k": 0}, {"k": 10**9}, {"languages": ["klingonish"]}, {"fairness": "none"}, {"strength": 0.5}):
        with pytest.raises(InputError):
            search(path, "x", **options)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="none of them empty"):
        search(path, "  ")


def test_only_what_is_new_or_changed_is_encoded(tmp_path: Path, model: str, calls: list[str]) -> None:
    documents = rows(20)
    made(tmp_path, model, documents)
    assert len(calls) == 20
    calls.clear()
    documents[4] |= {"topic": "other"}  # the text is the same
    documents[5] |= {"text": text_of(500)}
    record = made(tmp_path, model, [*documents, {"id": "new", "text": text_of(501), "lang": "en"}])
    assert calls == [text_of(500), text_of(501)]
    assert (record["added"], record["replaced"], record["unchanged"]) == (1, 2, 18)
    assert search(tmp_path / "index", text_of(5), 1).hits[0].text != text_of(5)
    record = index(None, None, tmp_path / "index", delete=["new", "not there"], progress=False)
    assert (record["deleted"], record["documents"]) == (1, 20)
    record = made(tmp_path, model, documents[:8], mirror=True)
    assert (record["deleted"], record["unchanged"]) == (12, 8)
    assert len(calls) == 2


def test_a_second_model_joins_and_both_get_what_comes_later(tmp_path: Path, zoo: Zoo) -> None:
    made(tmp_path, str(zoo("mean")), rows(12))
    index(str(zoo("cls")), None, tmp_path / "index", name="other", progress=False)
    write(tmp_path / "more.jsonl", [{"id": "more", "text": text_of(99), "lang": "de"}])
    index(None, str(tmp_path / "more.jsonl"), tmp_path / "index", progress=False)
    with Collection.open(tmp_path / "index") as collection:
        assert list(collection.models) == ["mean", "other"]
        for name in collection.models:
            assert len(collection.vectors(name)[0]) == 13
            with Searcher(collection, name) as searcher:
                assert searcher.search([text_of(99)], 1)[0].hits[0].id == "more"
        with pytest.raises(InputError, match="did you mean 'other'"):
            Searcher(collection, "othr")
    with pytest.raises(InputError, match=r"give .* another: --name"):
        index(str(_copy(zoo("cls"), tmp_path / "mean")), None, tmp_path / "index", progress=False)


def _copy(source: Path, target: Path) -> Path:
    import shutil

    return Path(shutil.copytree(source, target))


def test_a_model_that_changed_is_refused_until_it_is_taken_in_anew(tmp_path: Path, zoo: Zoo) -> None:
    own = _copy(zoo("mean"), tmp_path / "own")
    made(tmp_path, str(own), rows(6))
    config = own / "config_sentence_transformers.json"
    config.write_text(config.read_text().replace("query: ", "ask: "), encoding="utf-8")
    (own / "note.json").write_text("{}", encoding="utf-8")
    with (
        Collection.open(tmp_path / "index") as collection,
        pytest.raises(InputError, match="is not the model any more"),
    ):
        Searcher(collection)
    made(tmp_path, str(own), rows(6))
    assert search(tmp_path / "index", text_of(2), 1).hits


def test_long_texts_are_cut_and_found_as_one_document(tmp_path: Path, zoo: Zoo) -> None:
    parts = [text_of(i, 10) for i in range(40)]
    documents = [*rows(10), {"id": "long", "lang": "en", "title": "a title", "text": "\n\n".join(parts)}]
    record = made(tmp_path, str(zoo("mean")), documents, asked=CollectionSettings(chunk_tokens=24))
    assert record["chunks"] > 20 + 10 - 1
    answer = search(tmp_path / "index", encoded("a title", "\n\n".join(parts[20:22])), 20)
    assert [hit.id for hit in answer.hits].count("long") == 1
    assert answer.hits[0].id == "long"
    with pytest.raises(InputError, match="was made with chunk_tokens 24, not 48"):
        made(tmp_path, str(zoo("mean")), documents, asked=CollectionSettings(chunk_tokens=48))


def test_chunks_lose_nothing_and_fit(zoo: Zoo) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(zoo("mean"))
    chunker = Chunker(tokenizer, 20)
    text = "\n\n".join(text_of(i, 12) for i in range(30))
    chunks = chunker.chunks(DocumentRow("x", text, "en", "two words"))
    covered = "".join(text[chunk.first : chunk.last] for chunk in chunks)
    assert "".join(covered.split()) == "".join(text.split())
    for chunk in chunks:
        whole = encoded("two words", text[chunk.first : chunk.last])
        assert len(tokenizer(whole, add_special_tokens=False)["input_ids"]) <= 20
    assert len(chunker.chunks(DocumentRow("x", "", "en", "only a title"))) == 1
    assert len(front("t" * 1000)) == 200
    assert not Chunker(None, 20).counts_tokens
    assert len(Chunker(None, 20).chunks(DocumentRow("x", text, "en"))) > 10


def test_an_id_that_comes_twice_is_named_and_what_stood_before_is_kept(tmp_path: Path, model: str) -> None:
    documents = [*rows(5), {"id": "d1", "text": "again"}]
    with pytest.raises(InputError, match=r"corpus.jsonl:6: id 'd1' is there already \(.*corpus.jsonl:2\)"):
        made(tmp_path, model, documents)
    with pytest.raises(InputError, match="no index is there"):
        index(model, None, tmp_path / "nothing", progress=False)
    with pytest.raises(InputError, match="no index is there; make one"):
        Collection.open(tmp_path / "nowhere")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thing").write_text("x")
    with pytest.raises(InputError, match="not empty, and no index"):
        index(model, str(tmp_path / "corpus.jsonl"), tmp_path / "full", progress=False)


def test_languages_are_mixed_as_asked(tmp_path: Path, model: str) -> None:
    made(tmp_path, model, rows(60))
    path = tmp_path / "index"
    in_turn = search(path, text_of(3), 9, fairness="round-robin")
    assert [sorted(hit.lang for hit in in_turn.hits[i : i + 3]) for i in (0, 3, 6)] == [[*LANGUAGES]] * 3
    raw = [hit.id for hit in search(path, text_of(3), 20).hits]
    assert [hit.id for hit in search(path, text_of(3), 20, fairness="standardised", strength=0.0).hits] == raw
    whole = search(path, text_of(3), 60, fairness="standardised").hits
    assert {hit.id for hit in whole} == {f"d{i}" for i in range(60)}
    for lang in LANGUAGES:  # within a language nothing moves
        scores = [hit.score for hit in whole if hit.lang == lang]
        assert scores == sorted(scores, reverse=True)
    quota = search(path, text_of(3), 9, fairness="quota")
    assert sorted(hit.lang for hit in quota.hits) == ["de"] * 3 + ["en"] * 3 + ["th"] * 3


def test_words_are_mixed_in(tmp_path: Path, model: str) -> None:
    documents = [*rows(40), {"id": "rare", "lang": "en", "text": f"{text_of(200)} zyzzyva", "topic": "odd"}]
    made(tmp_path, model, documents)
    path = tmp_path / "index"
    found = search(path, "zyzzyva", 5, hybrid=True)
    assert "rare" in [hit.id for hit in found.hits[:2]]
    assert all(hit.lang == "de" for hit in search(path, "zyzzyva", 50, hybrid=True, languages=["de"]).hits)
    made(tmp_path, model, documents[:-1], mirror=True)
    assert "rare" not in [hit.id for hit in search(path, "zyzzyva", 50, hybrid=True).hits]


def test_words_are_made_once_for_all_who_ask(tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path, model, rows(40))
    times, make = [], words._make
    monkeypatch.setattr(words, "_make", lambda documents: (times.append(1), time.sleep(0.2), make(documents))[2])

    def keys(_: int) -> int:
        with Collection.open(tmp_path / "index") as collection:
            return len(words.Words(collection.path, collection.documents).keys)

    with ThreadPoolExecutor(3) as pool:
        assert [*pool.map(keys, range(3))] == [40] * 3
    assert len(times) == 1
    (tmp_path / "index" / ".words.lock").touch()  # of one that was killed when they were made
    assert keys(0) == 40
    assert not (tmp_path / "index" / ".words.lock").exists()


def test_words_of_an_index_that_cannot_be_written(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made(tmp_path, model, [*rows(40), {"id": "rare", "lang": "en", "text": f"{text_of(200)} zyzzyva"}])

    def full(path: Path, **_: Any) -> None:
        raise UnwritableError(path, "Read-only file system")

    for name in ("locked", "atomic_directory"):
        with monkeypatch.context() as patch:
            patch.setattr(words, name, full)
            found = search(tmp_path / "index", "zyzzyva", 5, hybrid=True)
        assert "rare" in [hit.id for hit in found.hits[:2]]
        assert "words: cannot be written (Read-only file system); every process" in capsys.readouterr().err
    assert not (tmp_path / "index" / "words").exists()


def test_words_that_are_replaced_while_they_are_read_or_damaged_are_made_again(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path, model, rows(40))
    folder = tmp_path / "index" / "words"
    search(tmp_path / "index", text_of(1), 5, hybrid=True)
    about = read_json(folder / "about.json")
    read = words.read_json

    def meanwhile(path: Path) -> Any:
        if path.name == "terms.json":
            write_json(folder / "about.json", {**about, "generation": about["generation"] + 1})
        return read(path)

    assert words._read(folder, about["generation"]) is not None
    with monkeypatch.context() as patch:
        patch.setattr(words, "read_json", meanwhile)
        assert words._read(folder, about["generation"]) is None
    write_json(folder / "about.json", about)
    expected = search(tmp_path / "index", text_of(1), 5, hybrid=True)
    (folder / "data.npy").write_bytes((folder / "data.npy").read_bytes()[:-9])
    assert search(tmp_path / "index", text_of(1), 5, hybrid=True) == expected
    assert words._read(folder, about["generation"]) is not None


def test_sentences_are_spans_and_the_nearest_is_told(tmp_path: Path, model: str) -> None:
    text = "Dr. Meier kam um 8 Uhr. Er blieb lange!\nพรุ่งนี้ฝนตก\n\n  Und dann?"
    spans = sentences(text, "de")
    assert [text[a:b] for a, b in spans] == ["Dr. Meier kam um 8 Uhr.", "Er blieb lange!", "พรุ่งนี้ฝนตก", "Und dann?"]
    lines = [text_of(i) for i in range(5)]
    made(tmp_path, model, [{"id": "one", "lang": "en", "text": "\n".join(lines)}, *rows(3)])
    hit = next(hit for hit in search(tmp_path / "index", lines[3], 4).hits if hit.id == "one")
    assert hit.sentence is not None
    assert hit.text[slice(*hit.sentence)] == lines[3]
    assert search(tmp_path / "index", lines[3], 4, sentences=False).hits[0].sentence is None


def test_a_searcher_takes_in_what_changes_while_it_is_open(tmp_path: Path, model: str) -> None:
    made(tmp_path, model, rows(9))
    with Collection.open(tmp_path / "index") as collection, Searcher(collection) as searcher:
        assert not searcher.refresh()
        made(tmp_path, model, [*rows(8)[1:], {"id": "new", "text": text_of(77), "lang": "en"}], mirror=True)
        kept = searcher.search([text_of(5)], 1)[0]  # nothing of it is gone: the older state may answer
        assert kept.hits[0].id == "d5"
        assert searcher.refresh()
        assert "d0" not in [hit.id for hit in searcher.search([text_of(0)], 9)[0].hits]
        assert searcher.search([text_of(77)], 1)[0].hits[0].id == "new"
        assert len(searcher.search([text_of(77)], 50)[0].hits) == 8


def test_a_background_that_is_damaged_is_one_line_and_made_again(tmp_path: Path, model: str) -> None:
    made(tmp_path, model, rows(9))
    (path,) = (tmp_path / "index" / "backgrounds").iterdir()
    for damage in (path.unlink, lambda: path.write_bytes(path.read_bytes()[:-9])):
        damage()
        with pytest.raises(InputError, match=r"npz: not there, or damaged; run isoglot index again"):
            search(tmp_path / "index", text_of(0), fairness="standardised")
        made(tmp_path, model, rows(9))
        assert len(search(tmp_path / "index", text_of(0), fairness="standardised").hits) == 5


def test_shards_are_merged_and_damage_is_mended(
    tmp_path: Path, model: str, calls: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from isoglot.retrieval.collection import vectors as module

    monkeypatch.setattr(module, "_MOST", 3)
    for n in range(1, 7):
        made(tmp_path, model, rows(3 * n))
    (folder,) = (tmp_path / "index" / "vectors").iterdir()
    assert len(list(folder.glob("rows-*"))) <= 3
    assert search(tmp_path / "index", text_of(0), 1).hits[0].id == "d0"
    rng = np.random.default_rng(0)
    store = Vectors(tmp_path / "own")
    texts = [bytes(rng.bytes(16)) for _ in range(50)]
    values = rng.normal(size=(50, 8)).astype(np.float32)
    for i in range(0, 50, 10):
        store.add(as_digests(texts[i : i + 10]), values[i : i + 10])
    store.tidy(as_digests(texts[::2]))
    again = Vectors(tmp_path / "own", verify=True)
    np.testing.assert_array_equal(again.read(as_digests(texts[::2])), values[::2].astype(np.float16))
    assert len(again) == 25
    assert not again.has(as_digests(texts[1::2])).any()
    again.tidy(as_digests([]))
    assert not again.has(as_digests(texts)).any()
    assert not list((tmp_path / "own").iterdir())
    victim = sorted(folder.glob("rows-*"))[0]
    victim.write_bytes(victim.read_bytes()[:-7])
    calls.clear()
    made(tmp_path, model, [*rows(18), {"id": "more", "text": text_of(300), "lang": "en"}])
    assert "damaged" in capsys.readouterr().err
    with Collection.open(tmp_path / "index") as collection:
        assert len(collection.vectors("mean")[0]) == 19


def test_kinds_of_corpora(tmp_path: Path) -> None:
    pages = tmp_path / "docs"
    for lang, heading in (("de", "Anmelden"), ("en", "Sign in")):
        (pages / lang).mkdir(parents=True)
        (pages / lang / "login.md").write_text(
            f"# {heading}\n\nText {lang}.\n\n## More\n\nOther {lang}.\n", encoding="utf-8"
        )
    (pages / "logo.png").write_bytes(b"x")
    folder = read_corpus(str(pages))
    assert [(document.id, document.title) for _, document in folder.rows] == [
        ("de/login.md", "Anmelden"),
        ("en/login.md", "Sign in"),
    ]
    assert folder.left_out == {"of an unknown format (.png)": 1}
    translated = [document for _, document in read_corpus(f"{pages}/{{lang}}/*.md").rows]
    assert [(d.lang, d.translation) for d in translated] == [("de", "login"), ("en", "login")]
    assert translated[0].text == "Text de.\n\nMore\nOther de."
    table = tmp_path / "rows.csv"
    table.write_text("id,text,lang,price\n1,eins,de,3\n2,two,EN,4\n", encoding="utf-8")
    assert [d.lang for _, d in read_corpus(str(table)).rows] == ["de", "en"]
    write(tmp_path / "pairs.jsonl", [{"id": "a", "lang": "de", "query": "Frage?", "passage": "Antwort."}])
    (_, pair), *_ = read_corpus(str(tmp_path / "pairs.jsonl")).rows
    assert (pair.id, pair.title, pair.text, pair.translation) == ("de/pairs/a", "Frage?", "Antwort.", "pairs/a")
    corpus = read_corpus("faq")
    assert corpus.total == len(list(corpus.rows))
    assert len(corpus.examples) == 8
    for bad in ({"text": "no id"}, {"id": "x"}, {"id": "x", "text": " "}, {"id": "x", "text": "y", "lang": "xx-yy-zz"}):
        with pytest.raises(InputError, match=r"bad.jsonl:1: "):
            list(read_corpus(write(tmp_path / "bad.jsonl", [bad])).rows)
    with pytest.raises(InputError, match=r"bda\.jsonl: no such file"):
        read_corpus(str(tmp_path / "bda.jsonl"))
    with pytest.raises(InputError, match=r"unknown benchmark 'pgaes'.*a folder of pages"):
        read_corpus("pgaes")


def test_languages_that_are_not_given_are_guessed_and_counted(tmp_path: Path, model: str) -> None:
    german = "Dieser Satz ist ohne jeden Zweifel auf Deutsch geschrieben worden, und zwar von mir."
    record = made(
        tmp_path, model, [{"id": "1", "text": german}, {"id": "2", "text": "x", "lang": "en"}, {"id": "3", "text": "7"}]
    )
    assert record["guessed"]["de"] == 1
    assert sum(record["guessed"].values()) == 2


@pytest.mark.slow
def test_a_kill_at_any_moment_loses_nothing_that_was_kept(
    tmp_path: Path, zoo: Zoo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """20 random moments; the same command again ends with the documents and vectors of a run that was not stopped."""
    import torch

    torch.set_num_threads(1)
    monkeypatch.setattr(build, "_BATCH", 4)
    source, corpus = str(zoo("mean")), write(tmp_path / "corpus.jsonl", rows(60))
    index(source, corpus, tmp_path / "whole", progress=False)
    wanted = _content(tmp_path / "whole")
    began = time.monotonic()
    index(source, corpus, tmp_path / "timed", progress=False)
    seconds = time.monotonic() - began
    rng, cut = random.Random(0), 0
    for number in range(20):
        target, told = tmp_path / f"killed{number}", tmp_path / f"told{number}"
        if (child := os.fork()) == 0:
            _indexing(source, corpus, target, told)
        time.sleep(rng.uniform(0.05, 1.1) * seconds)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        cut += os.WIFSIGNALED(status)
        kept = [line for line in told.read_text().splitlines() if line.endswith(".")] if told.exists() else []
        if kept:
            with Collection.open(target) as collection:
                there = collection.documents.ids()
                assert {key.rstrip(".") for key in kept} <= there
        index(source, corpus, target, progress=False)
        assert _content(target) == wanted
    assert cut >= 10


def _indexing(source: str, corpus: str, target: Path, told: Path) -> None:
    """In a child: index, and note every document after it was said to be kept."""
    from isoglot.retrieval.collection.documents import Documents

    put = Documents.put

    def noted(self: Documents, documents: Any) -> None:
        documents = list(documents)
        put(self, documents)
        with told.open("a") as sink:
            sink.writelines(f"{row.id}.\n" for row, _, _ in documents)

    Documents.put = noted  # type: ignore[method-assign]
    try:
        index(source, corpus, target, progress=False)
    finally:
        os._exit(0)


def _content(path: Path) -> dict[str, Any]:
    with Collection.open(path) as collection:
        keys, vectors = collection.vectors("mean")
        chunks = collection.documents.chunks(keys.tolist())
        return {
            chunks[key].document.id: (chunks[key].document, row.tobytes()) for key, row in zip(keys.tolist(), vectors)
        }


def test_an_index_whose_first_run_did_not_end_is_not_brought_up_to_date_without_a_model(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    Documents(tmp_path / "c", write=True, create=True).close()
    with pytest.raises(InputError, match="c: has no model yet"):
        index(None, write(tmp_path / "corpus.jsonl", rows(3)), tmp_path / "c")


def test_an_index_that_goes_while_it_is_written_is_not_called_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def move(run: Any, *_: Any) -> dict[str, Any]:
        (tmp_path / "c").rename(tmp_path / "elsewhere")
        return {}

    monkeypatch.setattr(build._Indexing, "run", move)
    with pytest.raises(InputError, match="c: has gone while it was written"):
        index("none", write(tmp_path / "corpus.jsonl", rows(3)), tmp_path / "c")
