"""Vectors of texts that were asked for lately: a question that is asked again, sentences of documents that are found often."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np

from isoglot.serving.batcher import Encoded, Key

_Row = tuple["np.ndarray[tuple[int], np.dtype[np.float32]]", int, bool]


class Kept:
    """What models made of texts, those that were not asked for longest forgotten first. Any thread may use it.

    Args:
        most: texts that are kept; 0 for none.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._rows: OrderedDict[tuple[Key, str], _Row] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Key, texts: Sequence[str], encode: Callable[[list[str]], Encoded]) -> Encoded:
        """What a model makes of texts; `encode` is asked for those that are not there, each once."""
        with self._lock:
            rows = {text: self._rows[key, text] for text in texts if (key, text) in self._rows}
            for text in rows:
                self._rows.move_to_end((key, text))
        if missing := [text for text in dict.fromkeys(texts) if text not in rows]:
            made = encode(missing)
            fresh = dict(zip(missing, zip(made.vectors.copy(), made.tokens, made.cut, strict=True), strict=True))
            rows |= fresh
            with self._lock:
                self._rows.update(((key, text), row) for text, row in fresh.items())
                while len(self._rows) > self._most:
                    self._rows.popitem(last=False)
        vectors, tokens, cut = zip(*(rows[text] for text in texts), strict=True)
        return Encoded(np.stack(vectors), list(tokens), list(cut))
