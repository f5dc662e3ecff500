"""Rankings whose languages are mixed by a fusion: in an evaluation, and in a search of any index.

fair = Fair.fit(Standardised(), model, load_pairs("facts:"))
evaluate(model, "xquad-r", fair=fair)
fair.search(index, vectors, 10, languages=["de", "en", "th"], asked="th")
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, model_validator
from pydantic.fields import FieldInfo

from isoglot.data.pairs.loading import load_pairs
from isoglot.data.pairs.table import PairTable
from isoglot.errors import InputError
from isoglot.records import Benchmark, Float32Array, IntArray
from isoglot.retrieval.bm25 import BM25
from isoglot.retrieval.encode import Kind, encode_texts, pooled_languages
from isoglot.retrieval.fusions import FUSIONS, Background, Fusion, Scale
from isoglot.retrieval.rankings import Search, ranks_from_scores, scored_search
from isoglot.retrieval.ranks import Ranks
from isoglot.retrieval.reciprocal import Reciprocal
from isoglot.retrieval.scoring import Vectors, document_chunks
from isoglot.retrieval.search import Filters, Hits, SearchIndex
from isoglot.retrieval.ties import tie_positions
from isoglot.settings import Settings, build, default_of, lift, member_of, member_options, to_dict

_AT_ONCE = 1 << 24  # scores that are held at once


class FairSettings(Settings):
    """How languages are mixed, and what that is fitted on."""

    inner: ClassVar[tuple[str, ...]] = ("fusion",)

    fusion: member_of(FUSIONS) = default_of(FUSIONS)  # type: ignore[valid-type]
    background: tuple[str, ...] = Field(
        (), description="parallel pairs that a fusion is fitted on where it needs some; not those of the benchmark"
    )
    background_pairs: int = Field(250, ge=2, description="at most so many of them in each language")

    @model_validator(mode="before")
    @classmethod
    def _lift(cls, values: Any) -> Any:
        return lift(values, "fusion", FUSIONS)

    @classmethod
    def options(cls) -> dict[str, FieldInfo]:
        return {**super().options(), **member_options(FUSIONS)}

    def check(self) -> None:
        if self.fusion.needs_background != bool(self.background):
            needs = "needs background pairs, such as facts:" if self.fusion.needs_background else "takes no background"
            raise ValueError(f"the fusion '{self.fusion}' {needs}")

    def fit(self, model: Any, data_dir: Path | None = None, languages: Collection[str] = ()) -> Fair | None:
        """The fusion made ready for a model; None for scores as they are. `languages`: see `Fair.fit`."""
        if self.fusion.is_default:
            return None
        table = load_pairs(self.background, data_dir=data_dir) if self.background else None
        return Fair.fit(self.fusion, model, table, self.background_pairs, languages)


@dataclass(frozen=True)
class Fair:
    """A fusion that is ready to be used.

    Attributes:
        fusion: how languages are mixed.
        scale: what it was fitted to; None where it needs no background.
        about: what result files say of it.
    """

    fusion: Fusion
    scale: Scale | None
    about: dict[str, Any]

    @classmethod
    def fit(
        cls,
        fusion: Fusion,
        model: Any = None,
        table: PairTable | None = None,
        pairs: int = 250,
        languages: Collection[str] = (),
    ) -> Fair:
        """Encode the background where the fusion needs one.

        Args:
            model: as `evaluate` takes it.
            table: parallel pairs; not those of a benchmark that is measured afterwards.
            pairs: at most so many in each language, spread evenly over the table.
            languages: of these, where the table has them; of all its languages where none is given.

        Raises:
            ValueError: a background is needed and not given.
            InputError: it has too few pairs; a package is not installed.
        """
        about: dict[str, Any] = {"fusion": to_dict(fusion)}
        if fusion.needs_texts:
            about["ranker"] = str(BM25())
        if not fusion.needs_background:
            return cls(fusion, None, about)
        if table is None:
            raise ValueError(f"{fusion.name} needs background pairs")
        chosen = {lang: _spread(table.index.rows[:, i], pairs) for i, lang in enumerate(table.languages)}
        chosen = {lang: rows for lang, rows in chosen.items() if lang in (languages or chosen)}
        place, _ = table.index.places(len(table))

        def encode(side: Kind) -> dict[str, Float32Array]:
            texts = {lang: table.column(side, rows) for lang, rows in chosen.items()}
            return {
                lang: encode_texts(model, own, side, progress=False, languages=[lang] * len(own))
                for lang, own in texts.items()
            }

        groups = {lang: np.asarray(table.index.group[place[rows]]) for lang, rows in chosen.items()}
        scale = fusion.fit(Background(encode("query"), encode("passage"), groups))
        about["background"] = {"digest": table.digest, "pairs": {lang: len(rows) for lang, rows in chosen.items()}}
        return cls(fusion, scale, about)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {"about": self.about, "scale": self.scale.to_dict() if self.scale else None}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Fair:
        """From those of `to_dict`."""
        about, scale = dict(values["about"]), values["scale"]
        settings = dict(about["fusion"])
        fusion = build(FUSIONS[settings.pop("name")], [("", settings)])
        return cls(fusion, Scale.from_dict(scale) if scale else None, about)

    def order(
        self, scores: Float32Array, language: IntArray, ties: IntArray, names: Sequence[str], asked: str | None
    ) -> IntArray:
        """Numbers of documents, best first, from their scores for one query; all of shape (n,), in any order.

        Args:
            scores: float32.
            language: numbers into `names`.
            ties: places in the order that breaks ties.
            asked: the query's language, None where it is not known.
        """
        by_language = np.lexsort((ties, -scores, language))
        keys = self.fusion.keys(scores[by_language], language[by_language], names, asked, self.scale)
        best: IntArray = by_language[np.lexsort((ties[by_language], -scores[by_language], -keys))]
        return best

    def ranks(
        self, benchmark: Benchmark, queries: Float32Array, documents: Vectors, ties: IntArray, own: IntArray
    ) -> Ranks:
        """Ranks of the judged documents; those within a language, `own`, are what they are without a fusion.

        Scores are products in float64, rounded once to float32. About a millisecond for a query and 10,000 documents. A fusion
        that ranks texts as well decides those within a language, too.
        """
        if self.fusion.needs_texts:
            return ranks_from_scores(benchmark, self._scorer(benchmark, queries, documents, ties))
        names, offsets = benchmark.corpus_languages, benchmark.document_offsets()
        language = np.repeat(np.arange(len(names)), np.diff(offsets))
        within = np.lexsort((ties, language))  # so that a stable sort of one language by its scores breaks ties
        place, order_of_ties = np.argsort(within), ties[within]
        asked, pooled = pooled_languages(benchmark, "query"), np.empty_like(own)
        for query, line in _lines(queries, documents):
            scores = line[within]
            order = np.concatenate([a + np.argsort(-scores[a:b], kind="stable") for a, b in pairwise(offsets.tolist())])
            keys = np.empty(len(order))
            keys[order] = self.fusion.keys(scores[order], language, names, asked[query], self.scale)
            for judged in range(*benchmark.indptr[query : query + 2].tolist()):
                one = place[benchmark.relevant[judged]]
                level = (scores == scores[one]) & (order_of_ties < order_of_ties[one]) | (scores > scores[one])
                before = (keys > keys[one]) | (keys == keys[one]) & level
                pooled[judged] = 1 + np.count_nonzero(before)
        return Ranks(own, pooled)

    def _scorer(self, benchmark: Benchmark, queries: Float32Array, documents: Vectors, ties: IntArray) -> Reciprocal:
        constant: float = getattr(self.fusion, "rank_constant")  # noqa: B009  # of fusions that need texts
        return Reciprocal(benchmark, queries, documents, ties, BM25().scorer(benchmark), constant)

    def searching(
        self, benchmark: Benchmark, queries: Float32Array, documents: Vectors, ties: IntArray, raw: Search
    ) -> Search:
        """What finds the best documents: over all languages by the fusion, within one as `raw` does.

        Scores over all languages are minus the rank: those of the model would not be in order.
        """
        if self.fusion.needs_texts:
            return scored_search(benchmark, self._scorer(benchmark, queries, documents, ties))
        names, asked = benchmark.corpus_languages, pooled_languages(benchmark, "query")

        def search(language: str | None, k: int) -> tuple[IntArray, Float32Array]:
            if language is not None:
                return raw(language, k)
            lists = [raw(name, k) for name in names]
            found, scores = (np.concatenate(both, axis=1) for both in zip(*lists))
            of = np.repeat(np.arange(len(names)), [numbers.shape[1] for numbers, _ in lists])
            orders = (self.order(line, of, ties[own], names, lang) for own, line, lang in zip(found, scores, asked))
            best = np.stack([own[order[:k]] for own, order in zip(found, orders)])
            return best, np.tile(-np.arange(1, best.shape[1] + 1, dtype=np.float32), (len(best), 1))

        return search

    def search(
        self,
        index: SearchIndex,
        queries: Float32Array,
        k: int,
        languages: Sequence[str],
        asked: str | None = None,
        where: Filters | None = None,
    ) -> Hits:
        """As `SearchIndex.search`, with the languages mixed by the fusion; scores are those of the index.

        Args:
            languages: those to search in, each with its own list of k.
            asked: the language of all queries, None where it is not known.

        Raises:
            InputError: the fusion needs the texts, which an index does not give.
        """
        if self.fusion.needs_texts:
            raise InputError(f"{self.fusion.name} ranks texts, and an index gives scores alone: mix by another fusion")
        lists = [index.search(queries, k, languages=[language], where=where) for language in languages]
        ids, scores = [], []
        for number in range(len(queries)):
            keys = [key for hits in lists for key in hits.ids[number]]
            values: Float32Array = np.concatenate([hits.scores[number] for hits in lists])
            language = np.repeat(np.arange(len(lists)), [len(hits.ids[number]) for hits in lists])
            best = self.order(values, language, tie_positions(keys) if keys else language, languages, asked)[:k]
            ids.append([keys[i] for i in best.tolist()])
            scores.append(values[best])
        return Hits(ids, scores)


def _lines(queries: Float32Array, documents: Vectors) -> Iterator[tuple[int, Float32Array]]:
    """(query, its scores of all documents), with not more than 64 MiB of scores at once, or those of one query."""
    step = max(1, _AT_ONCE // max(1, len(documents)))
    for start in range(0, len(queries), step):
        rows = queries[start : start + step].astype(np.float64)
        scores = np.empty((len(rows), len(documents)), dtype=np.float32)
        for first, chunk in document_chunks(documents, 0, len(documents), None):
            scores[:, first : first + len(chunk)] = rows @ chunk.astype(np.float64).T
        yield from enumerate(scores, start)


def _spread(rows: IntArray, most: int) -> IntArray:
    """At most so many of the rows that are there, evenly spread."""
    there = rows[rows >= 0]
    chosen: IntArray = there[np.linspace(0, len(there) - 1, min(most, len(there))).round().astype(np.int64)]
    return chosen
