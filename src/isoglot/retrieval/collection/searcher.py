"""Search in a collection: by vectors, fairly between languages, and by words where that is wanted."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Collection as AnyOf
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from isoglot.data.languages import language
from isoglot.errors import InputError, unknown
from isoglot.records import Float32Array, IntArray, several
from isoglot.retrieval.collection.backends import Backend
from isoglot.retrieval.collection.background import Levels
from isoglot.retrieval.collection.collection import Collection
from isoglot.retrieval.collection.documents import Documents, Found, ModelEntry
from isoglot.retrieval.collection.fairness import fusion_of, levels_of, told
from isoglot.retrieval.collection.models import Encode, encoder, load_entry
from isoglot.retrieval.collection.snippets import Span, best_sentences
from isoglot.retrieval.collection.state import State, reading
from isoglot.retrieval.collection.words import Words
from isoglot.retrieval.fair import Fair
from isoglot.retrieval.fusions import Fusion
from isoglot.retrieval.fusions.standardised import Standardised
from isoglot.retrieval.search import Filters
from isoglot.retrieval.ties import tie_positions

MOST = 1000
"""Documents of an answer."""
_RANK_CONSTANT = 60
_WORDS = 200
"""Chunks of the ranking by words that count."""
_TRIES, _PAUSE = 5, 0.1
"""How often, and after how many seconds, what a writer has taken away while it was read is read again."""


@dataclass(frozen=True)
class Hit:
    """A document that was found, by its best chunk.

    Attributes:
        score: cosine of the query and the chunk; the order may follow more than that (fairness, words).
        text: of the chunk.
        sentence: the span in `text`, in characters, of the sentence nearest to the query; None for a chunk of one.
        translation: the same for documents that are known to be translations of each other; "" for others.
    """

    id: str
    lang: str
    score: float
    title: str
    url: str
    text: str
    sentence: Span | None
    translation: str
    metadata: Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """What was found for a query.

    Attributes:
        query_language: as given, or as guessed from its text where that is sure; None where it is not known.
        hits: best first.
        why: one sentence where there are none.
    """

    query: str
    query_language: str | None
    hits: list[Hit]
    why: str | None


@dataclass
class _Asked:
    """A search, checked."""

    k: int
    languages: tuple[str, ...] | None
    where: dict[str, list[Any]]
    fusion: Fusion
    hybrid: bool
    sentences: bool
    among: IntArray | None = field(default=None)


class Searcher:
    """Searches with one model of a collection. Any thread may call it.

    Args:
        collection: stays open as long as the searcher is used.
        model_name: in the collection; None: its first model.
        encode: what encodes queries (and sentences, as passages); None: the model is loaded.
        device: of the model, where it is loaded.

    Raises:
        InputError: no such model, it is not the one that the collection was made with, its vectors are not complete.
    """

    def __init__(
        self,
        collection: Collection,
        model_name: str | None = None,
        encode: Encode | None = None,
        device: str | None = None,
    ) -> None:
        models = collection.models
        if not models:
            raise InputError(
                f"{collection.path}: has no model yet: isoglot index did not come to its end; run it again"
            )
        if model_name is not None and model_name not in models:
            raise unknown("model of this index", model_name, models)
        self._collection = collection
        self.entry: ModelEntry = models[model_name] if model_name is not None else next(iter(models.values()))
        self._encode = encode or encoder(load_entry(self.entry, device))
        self._lock = threading.RLock()
        self._words: Words | None = None
        self._levels: Levels | None = None
        self._backend = Backend(collection.path, self.entry, collection.settings)
        self._now: State | None = None
        self.refresh()

    def refresh(self) -> bool:
        """Take in what changed in the collection since the last time; whether anything did.

        Raises:
            InputError: a chunk has no vector of this model.
        """
        for tries in range(1, _TRIES + 1):
            if self._now is not None and self._collection.documents.generation() == self._now.generation:
                return False
            try:
                self._take_in()
                return True
            except InputError:  # a writer may have merged shards whose names were just read
                if tries == _TRIES:
                    raise
                time.sleep(_PAUSE)
        raise AssertionError("unreachable")

    def _take_in(self) -> None:
        # searches wait for what is new
        with reading(self._collection.path, self.entry) as (documents, state), self._lock:
            self._backend.update(documents, state.vectors)
            self._levels, self._now = None, state

    @property
    def _state(self) -> State:
        assert self._now is not None
        return self._now

    def close(self) -> None:
        """Give back memory and connections; calling it again does nothing."""
        self._backend.index.close()

    def __enter__(self) -> Searcher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def search(
        self,
        queries: Sequence[str],
        k: int = 10,
        *,
        languages: str | Sequence[str] | None = None,
        where: Filters | None = None,
        fairness: str = "raw",
        strength: float | None = None,
        query_language: str | None = None,
        hybrid: bool = False,
        sentences: bool = True,
    ) -> list[Answer]:
        """The k best documents for every query.

        Args:
            queries: n questions.
            k: documents, 1 to 1000.
            languages: of the documents; all when None.
            where: key of the metadata -> value, or values of which one, that documents must have.
            fairness: how languages are mixed: raw (scores as they are), standardised, round-robin, quota.
            strength: of `standardised`, 0 (as raw) to 1 (the default).
            query_language: of all queries; None: guessed where it is sure.
            hybrid: mix in the ranking by words (BM25), by reciprocal ranks.
            sentences: say which sentence of a chunk is nearest to the query (encodes the sentences of what was found).

        Raises:
            InputError: no or empty queries, k out of range, no such language, fairness or strength.
        """
        ask = partial(self._check, queries, k, languages, where, fairness, strength, hybrid, sentences)
        ask()
        known = None if query_language is None else language(query_language)
        languages_of = told(queries) if known is None else [known] * len(queries)
        vectors = self._encode(list(queries), "query")
        for _ in range(_TRIES):
            with self._lock:
                if hybrid:
                    self._take_words()
                asked, state = ask(), self._state
                ranked = [self._ranked(*of, asked) for of in zip(queries, vectors, languages_of)]
            wanted = [key for keys in ranked for key in keys]
            texts = self._collection.documents.chunks(wanted)
            if len(texts) == len({*wanted}) or not self.refresh():
                break  # of the collection before a change, or after it: never of what is left of the one before
        hits = self._hits(ranked, vectors, texts, asked, state)
        why = None if all(hits) else state.why_nothing(asked.languages, asked.where)
        return [
            Answer(query, lang, own, None if own else why)
            for query, lang, own in zip(queries, languages_of, hits, strict=True)
        ]

    # what is asked

    def _check(
        self,
        queries: Sequence[str],
        k: int,
        languages: str | Sequence[str] | None,
        where: Filters | None,
        fairness: str,
        strength: float | None,
        hybrid: bool,
        sentences: bool,
    ) -> _Asked:
        if isinstance(queries, str) or not queries or not all(query.strip() for query in queries):
            raise InputError("queries: a list of questions, none of them empty")
        if not 1 <= k <= MOST:
            raise InputError(f"k must be between 1 and {MOST}, got {k}")
        fusion = fusion_of(fairness, strength, self._state.sizes)
        codes = None if languages is None else tuple(dict.fromkeys(map(language, several(languages))))
        filters = {key: _as_list(value) for key, value in (where or {}).items()}
        return _Asked(k, codes, filters, fusion, hybrid, sentences)

    # ranking

    def _ranked(self, query: str, vector: Float32Array, lang: str | None, asked: _Asked) -> list[int]:
        """Keys of chunks of k different documents, best first; fewer where there are no more."""
        labels = self._state.labels
        languages = [code for code in self._state.sizes if asked.languages is None or code in asked.languages]
        if not languages:
            return []
        n = 4 * asked.k
        while True:
            found, is_all = self._by_vectors(vector, n, languages, lang, asked)
            if asked.hybrid:
                found = self._with_words(query, found, languages, asked)
            best = {labels[key].document: key for key in reversed(found)}  # the first of each document stays
            if len(best) >= asked.k or is_all:
                return [key for key in found if best[labels[key].document] == key][: asked.k]
            n *= 4

    def _by_vectors(
        self, vector: Float32Array, n: int, languages: list[str], lang: str | None, asked: _Asked
    ) -> tuple[list[int], bool]:
        """Keys of the n best chunks (of every language, where languages are mixed), and whether there are no more."""
        where, labels = asked.where or None, self._state.labels
        if asked.fusion.is_default:
            only = None if asked.languages is None else languages
            ids = self._backend.index.search(vector[None], n, languages=only, where=where).ids[0]
            # an index that another process changes may have chunks that this one does not know yet
            return [int(key) for key in ids if int(key) in labels], len(ids) < n
        lists = [self._backend.index.search(vector[None], n, languages=[code], where=where) for code in languages]
        ids = [key for hits in lists for key in hits.ids[0]]
        if not ids:
            return [], True
        scores: Float32Array = np.concatenate([hits.scores[0] for hits in lists])
        numbers = np.repeat(np.arange(len(lists)), [len(hits.ids[0]) for hits in lists])
        fair = Fair(asked.fusion, self._scale(asked.fusion), {})
        order = fair.order(scores, numbers, tie_positions(ids), languages, lang)
        best = [int(ids[i]) for i in order.tolist()]
        return [key for key in best if key in labels], all(len(hits.ids[0]) < n for hits in lists)

    def _scale(self, fusion: Fusion) -> Any:
        if not isinstance(fusion, Standardised):
            return None
        if self._levels is None:
            state, path = self._state, self._collection.path
            languages = [state.labels[key].lang for key in state.keys.tolist()]
            self._levels = levels_of(path, self.entry, languages, lambda rows: state.vectors.read(state.digests[rows]))
        return self._levels.scale(fusion)

    def _take_words(self) -> None:
        """Have the words of what is searched: both of one state, unless it changes faster than they are counted."""
        for _ in range(_TRIES):
            self.refresh()
            if self._words is not None and self._words.generation == self._state.generation:
                break
            with closing(Documents(self._collection.path)) as documents, documents.at_one_moment():
                self._words = Words(self._collection.path, documents)

    def _with_words(self, query: str, found: list[int], languages: list[str], asked: _Asked) -> list[int]:
        """The ranking by vectors, mixed with that by words by reciprocal ranks (see `isoglot.retrieval.reciprocal`)."""
        assert self._words is not None
        labels = self._state.labels
        if asked.among is None and (asked.languages is not None or asked.where):
            passing = [key for key, label in labels.items() if self._passes(label.metadata, languages, asked)]
            asked.among = np.array(passing, dtype=np.int64)
        by_words, _ = self._words.best(query, max(_WORDS, len(found)), asked.among)
        parts: defaultdict[int, float] = defaultdict(float)
        for ranking in (found, [key for key in by_words.tolist() if key in labels]):
            for rank, key in enumerate(ranking, 1):
                parts[key] += 1 / (_RANK_CONSTANT + rank)
        return sorted(parts, key=lambda key: (-parts[key], key))

    def _passes(self, metadata: Mapping[str, Any], languages: list[str], asked: _Asked) -> bool:
        return metadata["lang"] in languages and all(metadata.get(key) in own for key, own in asked.where.items())

    # what is told of it

    def _hits(
        self,
        ranked: list[list[int]],
        vectors: Float32Array,
        texts: dict[int, Found],
        asked: _Asked,
        state: State,
    ) -> list[list[Hit]]:
        """Those that are there still, with their scores and sentences."""
        kept = [(number, key) for number, keys in enumerate(ranked) for key in keys if key in texts]
        parts = [texts[key].document.text[texts[key].first : texts[key].last] for _, key in kept]
        spans: list[Span | None] = [None] * len(kept)
        if asked.sentences and kept:
            about = [(number, part, texts[key].document.lang) for (number, key), part in zip(kept, parts)]
            spans = best_sentences(about, vectors, self._encode)
        scores = state.cosines([(number, texts[key].digest) for number, key in kept], vectors)
        hits: list[list[Hit]] = [[] for _ in ranked]
        for (number, key), part, span, score in zip(kept, parts, spans, scores):
            row = texts[key].document
            hits[number].append(
                Hit(row.id, row.lang, score, row.title, row.url, part, span, row.translation, row.metadata)
            )
        return hits


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, AnyOf) and not isinstance(value, str) else [value]
