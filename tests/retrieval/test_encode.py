"""Encoding: each distinct text once, the right method, unit length, no NaN."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from tokenizers import processors

from isoglot.errors import InputError
from isoglot.models.load import load_model
from isoglot.models.tunings.lora import Lora
from isoglot.models.unpadded import passes
from isoglot.retrieval import encode, streams
from isoglot.retrieval.encode import Kind, encode_texts
from isoglot.retrieval.length_batches import batches, forward, is_plain
from isoglot.retrieval.streams import Stream
from tests.training.tiny import WORDS, tiny_base


class Model:
    """A stand-in whose vector of a text depends on its place in the call, as a padded batch's does in the last bits."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, list[str]]] = []

    def _encode(self, kind: str, texts: list[str]) -> np.ndarray:
        self.seen.append((kind, texts))
        return np.array([[len(text), 1.0, i * 1e-3] for i, text in enumerate(texts)], dtype=np.float32)

    def encode_query(self, texts: list[str], batch_size: int, show_progress_bar: bool) -> np.ndarray:
        return self._encode("query", texts)

    def encode_document(self, texts: list[str], batch_size: int, show_progress_bar: bool) -> np.ndarray:
        return self._encode("passage", texts)


def test_distinct_texts_are_encoded_once_and_longest_first() -> None:
    model = Model()
    texts = ["b", "aaa", "b", "cc", "aaa"]
    vectors = encode_texts(model, texts, "query", progress=False)
    assert model.seen == [("query", ["aaa", "cc", "b"])]
    assert vectors.dtype == np.float32
    assert vectors.shape == (5, 3)
    assert (vectors[0] == vectors[2]).all()
    assert (vectors[1] == vectors[4]).all()
    # text "cc" stood second in the call: (2, 1, 0.001) divided by its length
    np.testing.assert_allclose(vectors[3], np.array([2, 1, 1e-3]) / np.sqrt(5 + 1e-6), rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-6)


def test_calls_are_cut_and_put_together_again() -> None:
    model = Model()
    texts = [str(10**i) for i in range(20)]
    vectors = encode_texts(model, texts, "passage", batch_size=1, progress=False)
    assert [len(part) for _, part in model.seen] == [8, 8, 4]
    assert {kind for kind, _ in model.seen} == {"passage"}
    np.testing.assert_allclose(vectors[:, 0] / vectors[:, 1], np.arange(1, 21), rtol=1e-6)


def test_progress_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    encode_texts(Model(), ["a", "bb"], "passage")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "encode passages" in captured.err


def test_nan_names_the_text() -> None:
    class Broken(Model):
        def _encode(self, kind: str, texts: list[str]) -> np.ndarray:
            vectors = super()._encode(kind, texts)
            vectors[texts.index("bad one")] = np.nan
            return vectors

    with pytest.raises(InputError, match="NaN or infinity for the text 'bad one'"):
        encode_texts(Broken(), ["fine", "bad one", "a much longer text"], "query", progress=False)
    with pytest.raises(InputError, match="no text"):
        encode_texts(Model(), [], "query")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> SentenceTransformer:
    base = tiny_base(tmp_path_factory.mktemp("base") / "tiny-bert")
    return load_model(str(base), query_prompt="de1 ", passage_prompt="en2 de3 ", device="cpu")


def sentences(n: int = 150) -> list[str]:
    """Texts of 1 to 80 words (the tiny model reads 64 tokens), in no order, some of them twice."""
    rng = np.random.default_rng(0)
    made = [" ".join(rng.choice(WORDS, size=int(size))) for size in rng.integers(1, 12, size=n)]
    return [*made, *made[:7], " ".join(WORDS[:80]), "", "wörd"]


@pytest.mark.parametrize("kind", ["query", "passage"])
@pytest.mark.parametrize("size", [1, 3, 64])
def test_the_short_way_gives_the_vectors_of_the_model_itself(
    tiny: SentenceTransformer, kind: Kind, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = sentences()
    theirs = tiny.encode_query(texts) if kind == "query" else tiny.encode_document(texts)
    monkeypatch.setattr(encode, "_WINDOW", 60)
    assert is_plain(tiny)
    with monkeypatch.context() as inside:  # the model's own methods are not called
        inside.setattr(SentenceTransformer, "_inference", None)
        vectors = encode_texts(tiny, texts, kind, size, progress=False)
    unit = theirs / np.linalg.norm(theirs, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors, unit, atol=1e-6)
    np.testing.assert_array_equal(vectors[:7], vectors[150:157])
    np.testing.assert_array_equal(vectors, encode_texts(tiny, texts, kind, size, progress=False))


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("tokens", [1, 40, 1 << 17])
def test_texts_laid_end_to_end_have_the_models_own_vectors(
    tiny: SentenceTransformer, tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = encode_texts(tiny, sentences(), "query", progress=False)
    monkeypatch.setattr(streams, "stream_of", Stream)
    monkeypatch.setattr(streams, "_TOKENS", tokens)
    monkeypatch.setattr(streams, "_CHARACTERS", 600)
    seen: list[int] = []
    with monkeypatch.context() as inside:  # texts that are padded
        inside.setattr(SentenceTransformer, "encode", None)
        vectors = encode_texts(tiny, sentences(), "query", progress=False, watch=seen.append)
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    assert sum(seen) == len(set(sentences()))
    monkeypatch.setattr(streams, "TOLERANCE", 0.0)
    with pytest.raises(InputError, match="other embeddings without padding"):
        Stream(tiny, sentences(), "", "query")
    assert streams.stream_of is Stream


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_passes_become_smaller_where_memory_is_full(tiny: SentenceTransformer, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = encode_texts(tiny, sentences(), "query", progress=False)
    fits, sizes = Stream._pass, []

    def full(self: Stream, ids: np.ndarray, lengths: np.ndarray) -> torch.Tensor:
        sizes.append(len(ids))
        if len(ids) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return fits(self, ids, lengths)

    most = 10_000
    stream = Stream(tiny, sentences()[:3], encode.prompt_of(tiny, "query"), "query")
    monkeypatch.setattr(Stream, "_pass", full)
    monkeypatch.setattr(streams, "stream_of", lambda *_: stream)
    most = 70
    np.testing.assert_allclose(encode_texts(tiny, sentences(), "query", progress=False), expected, atol=1e-6)
    assert max(sizes) > 70
    sizes.clear()
    encode_texts(tiny, sentences(), "query", progress=False)
    assert max(sizes) <= 70, "the next texts begin with passes that fit"
    most = 1
    with pytest.raises(torch.OutOfMemoryError):
        encode_texts(tiny, sentences(), "query", progress=False)


def test_without_a_gpu_texts_are_padded(tiny: SentenceTransformer) -> None:
    assert streams.stream_of(tiny, sentences(), "", "query") is None


@pytest.mark.parametrize("tokens", [1, 50, 10_000])
def test_passes_tile_and_keep_to_the_tokens(tokens: int) -> None:
    lengths = np.random.default_rng(0).integers(1, 60, 200)
    cuts = list(passes(lengths, tokens))
    assert [cuts[0][0], cuts[-1][1], cuts[0][2], cuts[-1][3]] == [0, 200, 0, lengths.sum()]
    assert all((left[1], left[3]) == (right[0], right[2]) for left, right in zip(cuts, cuts[1:]))
    for start, end, first, last in cuts:
        assert last - first == lengths[start:end].sum()
        assert end - start == 1 or last - first <= tokens


def test_an_adapter_a_shorter_vector_and_a_shorter_text_are_respected(tmp_path: Path) -> None:
    from sentence_transformers.sentence_transformer.modules import Dense

    base = tiny_base(tmp_path / "tiny-bert")
    model = load_model(str(base), query_prompt="en1 ", passage_prompt="", device="cpu")
    Lora(rank=4).prepare(model)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:  # zero at first: the adapter would do nothing
                weight.normal_(std=0.5, generator=torch.Generator().manual_seed(1))
    before = encode_texts(model, sentences(), "query", progress=False)
    model.append(Dense(32, 16))
    model.max_seq_length, model.truncate_dim = 7, 12
    model.train()
    vectors = encode_texts(model, sentences(), "query", progress=False)
    assert is_plain(model)
    assert (before.shape[1], vectors.shape[1]) == (32, 12)
    theirs = model.encode_query(sentences())
    np.testing.assert_allclose(vectors, theirs / np.linalg.norm(theirs, axis=1, keepdims=True), atol=1e-6)


def test_what_is_not_plain_goes_through_its_own_methods(
    tiny: SentenceTransformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Other(SentenceTransformer):
        def encode_query(self, inputs: list[str], **options: object) -> np.ndarray:
            return np.ones((len(inputs), 3), dtype=np.float32)

    other = Other(modules=list(tiny.children()), device="cpu")
    assert not is_plain(other)
    assert encode_texts(other, ["a", "b"], "query", progress=False).shape == (2, 3)
    with_more = SentenceTransformer(modules=[*tiny.children(), torch.nn.Identity()], device="cpu")
    assert not is_plain(with_more)
    expected = encode_texts(tiny, sentences(), "passage", progress=False)
    preprocess = tiny.preprocess
    # a feature that nobody knows here: the model may read it
    monkeypatch.setattr(
        SentenceTransformer, "preprocess", lambda self, *a, **b: {**preprocess(*a, **b), "position_ids": None}
    )
    assert forward(tiny, ["de1 de2", "de1"], "", "document", 64, lambda n: None) is None
    np.testing.assert_allclose(encode_texts(tiny, sentences(), "passage", progress=False), expected, atol=1e-6)


def test_padding_on_the_left_moves_no_position(tiny: SentenceTransformer, monkeypatch: pytest.MonkeyPatch) -> None:
    """BERT counts positions from the first column: padded on the left, a text would be another one beside a longer one."""
    expected = encode_texts(tiny, sentences(), "passage", progress=False)
    monkeypatch.setattr(tiny.tokenizer, "padding_side", "left")
    np.testing.assert_allclose(encode_texts(tiny, sentences(), "passage", progress=False), expected, atol=1e-6)


def test_a_text_without_tokens_is_an_error(tiny: SentenceTransformer, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = tiny.tokenizer.backend_tokenizer
    monkeypatch.setattr(tokenizer, "post_processor", processors.Sequence([]))  # no [CLS] and [SEP]
    tiny.prompts["query"], before = "", tiny.prompts["query"]
    with pytest.raises(InputError, match="no token of the text ' '"):
        encode_texts(tiny, ["de1", " "], "query", progress=False)
    tiny.prompts["query"] = before


def test_every_batch_moves_the_bar_and_an_interruption_stops_it(tiny: SentenceTransformer) -> None:
    texts, counts = sentences(), []
    encode_texts(tiny, texts, "query", 4, progress=False, watch=counts.append)
    assert sum(counts) == len(set(texts))
    assert len(counts) > 10

    def interrupt(n: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode_texts(tiny, texts, "query", 4, progress=False, watch=interrupt)


def test_batches_hold_every_text_once_within_the_tokens_and_the_padding() -> None:
    rng = np.random.default_rng(4)
    for size in (1, 8, 64):
        lengths = np.sort(rng.integers(3, 300, size=500))[::-1].astype(np.int64)
        cuts = list(batches(lengths, size))
        assert [start for start, _ in cuts] == [0, *[end for _, end in cuts[:-1]]]
        assert cuts[-1][1] == 500
        for start, end in cuts:
            padded = int(lengths[start]) * (end - start)
            assert end == start + 1 or padded <= size * 64
            most = min(500 - start, max(1, size * 64 // int(lengths[start])))
            assert end - start <= max(1, most // 4) or lengths[start:end].sum() >= 0.96 * padded
    assert list(batches(np.full(10, 5), 1000)) == [(0, 10)]
