"""Encoding: each distinct text once, the right method, unit length, no NaN."""

from __future__ import annotations

import numpy as np
import pytest

from isoglot.errors import InputError
from isoglot.retrieval.encode import encode_texts


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
