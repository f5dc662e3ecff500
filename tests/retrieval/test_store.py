"""The embedding store: one encoding per content, exact copies, resuming, damage, races."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoglot.errors import InputError
from isoglot.files import cache_dir
from isoglot.retrieval.encode import encode_texts, prompt_of
from isoglot.retrieval.shards import ShardedRows
from isoglot.retrieval.store import EmbeddingStore, first_rows, text_digests

_SEEDS = itertools.count()


class Model:
    """Every call gives other vectors, so a text that is encoded twice is seen."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.seen: list[str] = []
        self.fail_at = fail_at
        self.calls = 0

    def encode_query(self, texts: list[str], batch_size: int, show_progress_bar: bool) -> np.ndarray:
        self.calls += 1
        if self.calls == self.fail_at:
            raise KeyboardInterrupt
        self.seen += texts
        rng = np.random.default_rng(next(_SEEDS))
        return rng.normal(size=(len(texts), 8)).astype(np.float32)

    encode_document = encode_query


TEXTS = [f"text {i % 7 if i % 5 == 0 else i}" for i in range(41)]


def encode(store: EmbeddingStore, model: object, texts: object = TEXTS, **options: object) -> ShardedRows:
    given = {"shard_size": 6, "progress": False, **options}
    return store.encode(model, "digest", "query: ", texts, "passage", **given)  # type: ignore[arg-type]


def assert_equal_texts_share_vectors(vectors: np.ndarray) -> None:
    first: dict[str, int] = {}
    for i, text in enumerate(TEXTS):
        j = first.setdefault(text, i)
        np.testing.assert_array_equal(vectors[i], vectors[j])


@pytest.mark.parametrize("size", [1, 6, 41, 100])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_distinct_texts_are_encoded_once_in_all_shards(tmp_path: Path, size: int, dtype: str) -> None:
    model, store = Model(), EmbeddingStore(tmp_path)
    vectors = encode(store, model, shard_size=size, dtype=dtype)
    assert vectors.shape == (41, 8)
    assert vectors.dtype == np.dtype(dtype)
    assert sorted(model.seen) == sorted(set(TEXTS))
    assert_equal_texts_share_vectors(np.asarray(vectors))
    np.testing.assert_allclose(np.linalg.norm(np.asarray(vectors, dtype=np.float32), axis=1), 1, rtol=2e-3)
    again = encode(store, None, dtype=dtype)  # no model is needed
    np.testing.assert_array_equal(np.asarray(again), np.asarray(vectors))


def test_one_shard_is_what_encode_texts_gives(tmp_path: Path) -> None:
    class Plain(Model):
        def encode_query(self, texts: list[str], batch_size: int, show_progress_bar: bool) -> np.ndarray:
            return np.array([[len(text), i + 1.0] for i, text in enumerate(texts)], dtype=np.float32)

        encode_document = encode_query

    texts = ["b", "ccc", "b", "dd"]
    stored = encode(EmbeddingStore(tmp_path), Plain(), texts)
    np.testing.assert_array_equal(np.asarray(stored), encode_texts(Plain(), texts, "passage", progress=False))


def test_an_interrupted_run_goes_on_at_the_shard(tmp_path: Path) -> None:
    store, first = EmbeddingStore(tmp_path), Model(fail_at=4)
    with pytest.raises(KeyboardInterrupt):
        encode(store, first)
    second = Model()
    vectors = encode(store, second)
    assert not set(first.seen) & set(second.seen)
    assert sorted(first.seen + second.seen) == sorted(set(TEXTS))
    assert_equal_texts_share_vectors(np.asarray(vectors))


def test_another_shard_size_starts_anew_and_leaves_nothing_behind(tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        encode(store, Model(fail_at=4))
    vectors = encode(store, Model(), shard_size=10)
    assert len(list(tmp_path.glob("*/rows-*"))) == 5
    assert_equal_texts_share_vectors(np.asarray(vectors))


@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize("harm", ["cut", "flip", "gone", "empty"])
@pytest.mark.parametrize("number", [0, 2])
def test_a_damaged_shard_is_made_again_with_its_copies(tmp_path: Path, complete: bool, harm: str, number: int) -> None:
    store = EmbeddingStore(tmp_path)
    before = np.array(encode(store, Model()))
    if not complete:
        next(tmp_path.glob("*/meta.json")).unlink()
    shard = next(tmp_path.glob(f"*/rows-{6 * number:012d}-*"))
    data = shard.read_bytes()
    if harm == "gone":
        shard.unlink()
    else:
        shard.write_bytes({"cut": data[:-3], "flip": data[:-1] + bytes([data[-1] ^ 1]), "empty": b""}[harm])
    model = Model()
    after = np.asarray(encode(store, model))
    assert_equal_texts_share_vectors(after)
    changed = sorted({i // 6 for i in range(41) if (before[i] != after[i]).any()})
    # every other shard repeats a text of shard 0; none repeats one of shard 2
    assert changed == (list(range(7)) if number == 0 else [2])
    seen = list(model.seen)
    encode(store, model)
    assert model.seen == seen


def test_an_interruption_while_damage_is_repaired_leaves_no_stale_copy(tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path)
    encode(store, Model())
    next(tmp_path.glob("*/rows-000000000000-*")).unlink()
    with pytest.raises(KeyboardInterrupt):
        encode(store, Model(fail_at=2))
    assert_equal_texts_share_vectors(np.asarray(encode(store, Model())))


def test_a_damaged_meta_file_is_written_again(tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path)
    before = np.array(encode(store, Model()))
    next(tmp_path.glob("*/meta.json")).write_text('{"sha')
    model = Model()
    np.testing.assert_array_equal(np.asarray(encode(store, model)), before)
    assert not model.seen


def test_the_key_is_the_content(tmp_path: Path) -> None:
    store, model = EmbeddingStore(tmp_path), Model()
    base = ("m", "p", ["a", "b"], "query")
    others = [("n", *base[1:]), ("m", "q", *base[2:]), ("m", "p", ["ab"], "query"), ("m", "p", ["a", "b"], "passage")]
    for given in (base, *others):
        store.encode(model, *given, progress=False)  # type: ignore[arg-type]
    assert len(list(tmp_path.iterdir())) == 5
    store.encode(model, *base, progress=False, dtype="float16")  # type: ignore[arg-type]
    model.max_seq_length = 7  # type: ignore[attr-defined]
    store.encode(model, *base, progress=False)  # type: ignore[arg-type]
    assert len(list(tmp_path.iterdir())) == 7
    seen = len(model.seen)
    store.encode(model, "m", "p", iter_again(["a", "b"]), "query", progress=False)
    assert len(model.seen) == seen


class iter_again:
    """An iterable that is not a list and starts anew."""

    def __init__(self, *readings: list[str]) -> None:
        self.readings = list(readings)

    def __iter__(self) -> Iterator[str]:
        return iter(self.readings.pop(0) if len(self.readings) > 1 else self.readings[0])


def test_two_at_once_encode_once(tmp_path: Path) -> None:
    models = [Model(), Model()]
    found: list[np.ndarray] = []

    def work(model: Model) -> None:
        found.append(np.array(encode(EmbeddingStore(tmp_path), model)))

    threads = [threading.Thread(target=work, args=(model,)) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(found[0], found[1])
    assert sorted(models[0].seen + models[1].seen) == sorted(set(TEXTS))


def test_bad_input_is_refused(tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path)
    with pytest.raises(InputError, match="no text"):
        encode(store, Model(), [])
    with pytest.raises(InputError, match="only once"):
        encode(store, Model(), iter(TEXTS))
    with pytest.raises(InputError, match="shard size 0"):
        encode(store, Model(), shard_size=0)
    for second in (["a", "c"], ["a"], ["a", "b", "c"]):
        with pytest.raises(InputError, match="changed"):
            encode(store, Model(), iter_again(["a", "b"], second))
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        encode(EmbeddingStore(tmp_path / "file"), Model())


def test_size_and_clear_touch_only_the_store(tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path)
    assert EmbeddingStore(tmp_path / "none").clear() == 0
    encode(store, Model())
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("x")
    size = store.size()
    assert size > 41 * 8 * 4
    assert store.clear() == size
    assert store.size() == 0
    assert (tmp_path / "mine" / "file").read_text() == "x"
    assert EmbeddingStore().root == cache_dir() / "embeddings"


def test_progress_is_one_bar_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    encode(EmbeddingStore(tmp_path), Model(), progress=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "encode passages: 100%" in captured.err
    assert "41/41" in captured.err


def test_prompts_are_those_that_the_model_uses() -> None:
    model = Model()
    assert prompt_of(model, "query") == ""
    model.prompts = {"query": "q: ", "passage": "p: ", "other": "o: "}  # type: ignore[attr-defined]
    assert (prompt_of(model, "query"), prompt_of(model, "passage")) == ("q: ", "p: ")
    model.prompts = {"query": None, "document": None, "other": "o: "}  # type: ignore[attr-defined]
    model.default_prompt_name = "other"  # type: ignore[attr-defined]
    assert (prompt_of(model, "query"), prompt_of(model, "passage")) == ("", "")
    model.prompts = {"other": "o: "}  # type: ignore[attr-defined]
    assert (prompt_of(model, "query"), prompt_of(model, "passage")) == ("o: ", "o: ")


def test_first_rows() -> None:
    digests = text_digests(["b", "a", "b", "", "a", "c"])
    assert first_rows(digests).tolist() == [0, 1, 0, 3, 1, 5]
    assert len(digests) == 6
    assert digests.tobytes() != text_digests(["b", "a", "b", "", "a", "d"]).tobytes()


def test_sharded_rows_read_like_an_array() -> None:
    whole = np.random.default_rng(0).normal(size=(23, 3)).astype(np.float16)
    rows = ShardedRows([whole[start:end] for start, end in itertools.pairwise((0, 5, 10, 11, 18, 23))])
    assert (rows.shape, rows.dtype, len(rows), rows.nbytes) == ((23, 3), np.float16, 23, 138)
    for start in range(25):
        for end in range(25):
            np.testing.assert_array_equal(rows[start:end], whole[start:end])
    assert np.shares_memory(rows[12:15], whole)  # a view
    for index in ([], [4, 4, 0, 22, -1], np.array([17, 3])):
        np.testing.assert_array_equal(rows[index], whole[np.array(index, dtype=np.int64)])
    np.testing.assert_array_equal(rows[-2], whole[-2])
    np.testing.assert_array_equal(np.asarray(rows, dtype=np.float32), whole.astype(np.float32))
    for bad in (slice(0, 9, 2), [23], [-24], [True, False], 1.5):
        with pytest.raises(IndexError):
            rows[bad]


def test_another_tokenizer_is_another_model(tmp_path: Path) -> None:
    from tokenizers.normalizers import Lowercase

    from isoglot.models.load import load_model
    from tests.training.tiny import tiny_base

    store = EmbeddingStore(tmp_path / "store")
    model = load_model(str(tiny_base(tmp_path / "base")), device="cpu")
    store.encode(model, "digest", "", TEXTS, "query", progress=False)
    store.encode(model, "digest", "", TEXTS, "query", progress=False)
    assert len(list((tmp_path / "store").iterdir())) == 1, "how it was called last is no part of a tokenizer"
    model.tokenizer.backend_tokenizer.normalizer = Lowercase()
    store.encode(model, "digest", "", TEXTS, "query", progress=False)
    assert len(list((tmp_path / "store").iterdir())) == 2


def test_settings_that_decide_a_vector_are_part_of_the_key(tmp_path: Path) -> None:
    """The similarity (vectors keep their lengths under the inner product), and what stands inside the routes of a router."""
    from isoglot.models.load import load_model
    from tests.models.zoo import KINDS

    store, entries = EmbeddingStore(tmp_path / "store"), []

    def kept(model: Any) -> int:
        entries.append(np.asarray(store.encode(model, "digest", "", TEXTS, "query", progress=False)))
        return len(list((tmp_path / "store").iterdir()))

    model = load_model(str(KINDS["not-normalized"](tmp_path / "model")), device="cpu")
    assert kept(model) == 1
    model.similarity_fn_name = "dot"
    assert kept(model) == 2
    lengths = np.linalg.norm(entries[1], axis=1, keepdims=True)
    assert np.abs(lengths - 1).max() > 0.1
    np.testing.assert_allclose(entries[0], entries[1] / lengths, atol=1e-6)
    router = load_model(str(KINDS["router"](tmp_path / "router")), device="cpu")
    assert kept(router) == 3
    router[0].sub_modules["query"][1].pooling_mode = "cls"
    assert kept(router) == 4
