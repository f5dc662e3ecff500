"""Search in a collection: by vectors, fairly between languages, and by words where that is wanted."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Collection as AnyOf
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from isoglot.data.languages import language
from isoglot.errors import InputError, unknown
from isoglot.records import Float32Array, IntArray, several
from isoglot.retrieval.collection.backends import Backend
from isoglot.retrieval.collection.background import Levels
from isoglot.retrieval.collection.collection import Collection
from isoglot.retrieval.collection.documents import Found, ModelEntry, as_digests
from isoglot.retrieval.collection.fairness import fusion_of, levels_of, told
from isoglot.retrieval.collection.models import Encode, encoder, load_entry
from isoglot.retrieval.collection.snippets import Span, best_sentences
from isoglot.retrieval.collection.vectors import Vectors
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
        self._generation = -1
        self.refresh()

    def refresh(self) -> bool:
        """Take in what changed in the collection since the last time; whether anything did."""
        documents = self._collection.documents
        generation = documents.generation()
        if generation == self._generation:
            return False
        vectors = Vectors(self._collection.path / "vectors" / self.entry.key)
        labels = {label.key: label for label in documents.labels()}
        sizes = Counter(label.lang for label in labels.values())
        with self._lock:  # for what is new alone: searches wait for it
            self._backend.update(documents, vectors)
            self._labels, self._sizes = labels, sizes
            self._vectors, self._levels, self._generation = vectors, None, generation
        return True

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
        asked = self._check(queries, k, languages, where, fairness, strength, hybrid, sentences)
        known = None if query_language is None else language(query_language)
        languages_of = told(queries) if known is None else [known] * len(queries)
        vectors = self._encode(list(queries), "query")
        with self._lock:
            ranked = [self._ranked(*of, asked) for of in zip(queries, vectors, languages_of)]
        texts = self._collection.documents.chunks([key for keys in ranked for key in keys])
        hits = self._hits(ranked, vectors, texts, asked)
        why = None if all(hits) else self._why(asked)
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
        fusion = fusion_of(fairness, strength, self._sizes)
        codes = None if languages is None else tuple(dict.fromkeys(map(language, several(languages))))
        filters = {key: _as_list(value) for key, value in (where or {}).items()}
        return _Asked(k, codes, filters, fusion, hybrid, sentences)

    # ranking

    def _ranked(self, query: str, vector: Float32Array, lang: str | None, asked: _Asked) -> list[int]:
        """Keys of chunks of k different documents, best first; fewer where there are no more."""
        languages = [code for code in self._sizes if asked.languages is None or code in asked.languages]
        if not languages:
            return []
        n = 4 * asked.k
        while True:
            found, is_all = self._by_vectors(vector, n, languages, lang, asked)
            if asked.hybrid:
                found = self._with_words(query, found, languages, asked)
            best = {self._labels[key].document: key for key in reversed(found)}  # the first of each document stays
            if len(best) >= asked.k or is_all:
                return [key for key in found if best[self._labels[key].document] == key][: asked.k]
            n *= 4

    def _by_vectors(
        self, vector: Float32Array, n: int, languages: list[str], lang: str | None, asked: _Asked
    ) -> tuple[list[int], bool]:
        """Keys of the n best chunks (of every language, where languages are mixed), and whether there are no more."""
        where = asked.where or None
        if asked.fusion.is_default:
            only = None if asked.languages is None else languages
            ids = self._backend.index.search(vector[None], n, languages=only, where=where).ids[0]
            # an index that another process changes may have chunks that this one does not know yet
            return [int(key) for key in ids if int(key) in self._labels], len(ids) < n
        lists = [self._backend.index.search(vector[None], n, languages=[code], where=where) for code in languages]
        ids = [key for hits in lists for key in hits.ids[0]]
        if not ids:
            return [], True
        scores: Float32Array = np.concatenate([hits.scores[0] for hits in lists])
        numbers = np.repeat(np.arange(len(lists)), [len(hits.ids[0]) for hits in lists])
        fair = Fair(asked.fusion, self._scale(asked.fusion), {})
        order = fair.order(scores, numbers, tie_positions(ids), languages, lang)
        best = [int(ids[i]) for i in order.tolist()]
        return [key for key in best if key in self._labels], all(len(hits.ids[0]) < n for hits in lists)

    def _scale(self, fusion: Fusion) -> Any:
        if not isinstance(fusion, Standardised):
            return None
        if self._levels is None:
            keys, digests = self._collection.documents.keys()
            languages = [self._labels[key].lang if key in self._labels else "" for key in keys.tolist()]
            vectors, path = self._vectors, self._collection.path
            self._levels = levels_of(path, self.entry, languages, lambda rows: vectors.read(digests[rows]))
        return self._levels.scale(fusion)

    def _with_words(self, query: str, found: list[int], languages: list[str], asked: _Asked) -> list[int]:
        """The ranking by vectors, mixed with that by words by reciprocal ranks (see `isoglot.retrieval.reciprocal`)."""
        documents = self._collection.documents
        if self._words is None or self._words.generation != documents.generation():
            self._words = Words(self._collection.path, documents)
        if asked.among is None and (asked.languages is not None or asked.where):
            passing = [key for key, label in self._labels.items() if self._passes(label.metadata, languages, asked)]
            asked.among = np.array(passing, dtype=np.int64)
        by_words, _ = self._words.best(query, max(_WORDS, len(found)), asked.among)
        parts: defaultdict[int, float] = defaultdict(float)
        for ranking in (found, [key for key in by_words.tolist() if key in self._labels]):
            for rank, key in enumerate(ranking, 1):
                parts[key] += 1 / (_RANK_CONSTANT + rank)
        return sorted(parts, key=lambda key: (-parts[key], key))

    def _passes(self, metadata: Mapping[str, Any], languages: list[str], asked: _Asked) -> bool:
        return metadata["lang"] in languages and all(metadata.get(key) in own for key, own in asked.where.items())

    # what is told of it

    def _hits(
        self, ranked: list[list[int]], vectors: Float32Array, texts: dict[int, Found], asked: _Asked
    ) -> list[list[Hit]]:
        """Those that are there still, with their scores and sentences."""
        kept = [(number, key) for number, keys in enumerate(ranked) for key in keys if key in texts]
        parts = [texts[key].document.text[texts[key].first : texts[key].last] for _, key in kept]
        spans: list[Span | None] = [None] * len(kept)
        if asked.sentences and kept:
            about = [(number, part, texts[key].document.lang) for (number, key), part in zip(kept, parts)]
            spans = best_sentences(about, vectors, self._encode)
        scores = self._cosines([(number, texts[key].digest) for number, key in kept], vectors)
        hits: list[list[Hit]] = [[] for _ in ranked]
        for (number, key), part, span, score in zip(kept, parts, spans, scores):
            row = texts[key].document
            hits[number].append(
                Hit(row.id, row.lang, score, row.title, row.url, part, span, row.translation, row.metadata)
            )
        return hits

    def _cosines(self, kept: list[tuple[int, bytes]], vectors: Float32Array) -> list[float]:
        if not kept:
            return []
        rows = self._vectors.read(as_digests(digest for _, digest in kept)).astype(np.float32)
        return [round(float(vectors[number] @ row), 6) for (number, _), row in zip(kept, rows)]

    def _why(self, asked: _Asked) -> str:
        """Why nothing was found, in one sentence."""
        if not self._labels:
            return "The index has no documents."
        there = ", ".join(f"{lang} ({n:,})" for lang, n in self._sizes.most_common(12))
        if asked.languages is not None and not set(asked.languages) & set(self._sizes):
            return f"No document is in {', '.join(asked.languages)}; there are: {there}."
        for key, values in asked.where.items():
            own = Counter(label.metadata[key] for label in self._labels.values() if key in label.metadata)
            if not own:
                keys = sorted({name for label in self._labels.values() for name in label.metadata} - {"lang"})
                return f"No document has '{key}'; there are: {', '.join(keys) or 'no metadata'}."
            if not set(own) & set(values):
                some = ", ".join(str(value) for value, _ in own.most_common(8))
                return f"No document has {key} = {', '.join(map(str, values))}; there are: {some}."
        return "No document passes all filters together."


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, AnyOf) and not isinstance(value, str) else [value]
