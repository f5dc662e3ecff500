"""What loss terms need of a step beside embeddings and pairs: languages, and the vectors of a frozen teacher.

A teacher says of every pair what it makes of its query and of its passage in one language, the pair's pivot language. That is
computed once, before the first step, into isoglot's store of embeddings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import torch

from isoglot.batching.sampler import PlanDataset, RowBatch
from isoglot.data.pairs.index import PairIndex
from isoglot.data.pairs.table import PairTable
from isoglot.errors import say
from isoglot.files import digest_json
from isoglot.models.content import STORED, content_of
from isoglot.models.load import load_model
from isoglot.processes import in_first, on_cpu, processes, together
from isoglot.records import Float32Array, IntArray, Side
from isoglot.retrieval.encode import Kind, encode_texts, prompt_of
from isoglot.retrieval.scoring import Vectors
from isoglot.retrieval.store import EmbeddingStore
from isoglot.retrieval.stored import StoredVectors
from isoglot.training.losses import RunFacts
from isoglot.training.settings import BASE, BEST, TrainSettings

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_NO_LANGUAGE = -2  # -1 is a pivot language that no row has
_CHUNK = 1 << 14  # rows or pairs that are looked at together


@dataclass(frozen=True)
class TeacherVectors:
    """A teacher's vectors of pairs, each in its pivot language.

    Attributes:
        places: int32, shape (n_pairs,): rows of the vectors by pair number; -1 for pairs that are not used.
        queries, passages: float32, shape (n, d), of length 1.
    """

    places: np.ndarray[Any, np.dtype[np.int32]]
    queries: Vectors
    passages: Vectors

    def take(self, kind: Kind, pairs: IntArray) -> Float32Array:
        """Of some pairs, shape (len(pairs), d). KeyError: the teacher has not read one of them."""
        places = self.places[pairs]
        if len(places) and int(places.min()) < 0:
            raise KeyError("pairs that the teacher has not read")
        taken: Float32Array = np.ascontiguousarray((self.queries if kind == "query" else self.passages)[places])
        return taken


class Marker:
    """What the terms of a run need to know of the rows of a step, beside their pairs; nothing where they need nothing.

    Args:
        settings: of the run.
        table: the training pairs.
        model: that is trained.
        base: what its base is by content, see `content_of`.

    Attributes:
        about: what run.json says of the teacher; {} where there is none.

    Raises:
        InputError: the teacher cannot be loaded, or the run cannot give a term what it needs.
    """

    def __init__(
        self, settings: TrainSettings, table: PairTable, model: SentenceTransformer, base: Mapping[str, Any]
    ) -> None:
        self._needs, self._pivot = settings.needs, settings.teacher.language
        self._vectors: WeakKeyDictionary[PlanDataset, TeacherVectors] = WeakKeyDictionary()
        self._teacher: SentenceTransformer | StoredVectors | None = None
        self.about: dict[str, Any] = {}
        if not self._needs:
            return
        if "teachers" in self._needs:
            name = settings.teacher_name
            content = base if name == settings.base else in_first(lambda: content_of(name))
            self.about = {"name": name, "language": self._pivot, **content}
            self._teacher = together(lambda: _load(settings))
        together(lambda: self._check(settings, table, model))

    def _check(self, settings: TrainSettings, table: PairTable, model: SentenceTransformer) -> None:
        teacher_width = None if self._teacher is None else _width(self._teacher)
        facts = RunFacts(table.languages, self._pivot, _width(model), teacher_width)
        for term in settings.loss:
            term.check_run(facts)

    def prepare(self, datasets: Iterable[PlanDataset], *, show: bool = False) -> None:
        """Have the teacher read the pairs of all datasets of the run, and forget it. All processes call this together.

        Args:
            show: progress bars on stderr.

        Raises:
            InputError: the store cannot be written, or vectors are not finite.
        """
        for steps in datasets:
            if "languages" in self._needs and self._pivot not in steps.table.languages and processes().first:
                say(
                    f"no pair (languages {', '.join(steps.table.languages)}) is in the pivot language '{self._pivot}': terms "
                    "that look for it do without"
                )
            if self._teacher is not None:
                self._vectors[steps] = self._read(self._teacher, steps, show)
        self._teacher = None

    def __call__(self, item: RowBatch) -> dict[str, Any]:
        """Features of a step: `query_languages` and `passage_languages` (int64, shape (n,)) with `query_pivot`, a number;
        `query_teachers` and `passage_teachers` (float32, shape (n, d)).
        """
        features: dict[str, Any] = {}
        kinds: tuple[Kind, Kind] = ("query", "passage")
        for kind, side in zip(kinds, (item.batch.queries, item.batch.passages)):
            if "languages" in self._needs:
                features[f"{kind}_languages"] = torch.from_numpy(_languages(side))
            if "teachers" in self._needs:
                features[f"{kind}_teachers"] = torch.from_numpy(self._vectors[item.dataset].take(kind, side.pairs))
        if "languages" in self._needs:
            languages = item.dataset.table.languages
            features["query_pivot"] = languages.index(self._pivot) if self._pivot in languages else -1
        return features

    def _read(self, teacher: SentenceTransformer | StoredVectors, steps: PlanDataset, show: bool) -> TeacherVectors:
        """The teacher's vectors of all pairs that a dataset uses."""
        table, pairs = steps.table, used_pairs(steps)
        rows_of_pair = table.index.rows[pairs].astype(np.int64, copy=False)
        chosen = np.full(len(pairs), -1, dtype=np.int64)
        if self._pivot in table.languages:
            chosen = rows_of_pair[:, table.languages.index(self._pivot)].copy()
        lacking = np.flatnonzero(chosen < 0)
        if len(lacking) and self._pivot != BEST and processes().first:
            say(
                f"{len(lacking)} of {len(pairs)} pairs are not in '{self._pivot}': the teacher reads them in the language in "
                "which their query and passage are closest to it"
            )
        among = rows_of_pair[lacking]
        rows = np.unique(np.concatenate([chosen[chosen >= 0], among[among >= 0]]))
        digest = digest_json({key: self.about[key] for key in ("digest", "revision") if key in self.about})
        queries, passages = (_encode(teacher, digest, table, rows, kind, show) for kind in ("query", "passage"))
        chosen[lacking] = best_rows(among, rows, queries, passages)
        places = np.full(table.index.n_pairs, -1, dtype=np.int32)
        places[pairs] = np.searchsorted(rows, chosen)
        return TeacherVectors(places, queries, passages)


def _languages(side: Side) -> IntArray:
    """Numbers of the texts' languages; one that no language has for texts that were switched into another."""
    languages = side.languages.astype(np.int64)
    return languages if side.targets is None else np.where(side.targets >= 0, _NO_LANGUAGE, languages)


def used_pairs(steps: PlanDataset) -> IntArray:
    """The pairs that any step of any process uses, ascending, int64."""
    index: PairIndex = steps.table.index
    used = np.zeros(len(steps.table), dtype=np.bool_)
    for rows in steps.used_rows():
        used[rows] = True
    found = [np.zeros(0, dtype=np.int64)]
    for start in range(0, index.n_pairs, _CHUNK):
        rows = index.rows[start : start + _CHUNK]
        found.append(np.flatnonzero(((rows >= 0) & used[rows]).any(axis=1)) + start)
    return np.concatenate(found)


def best_rows(among: IntArray, rows: IntArray, queries: Vectors, passages: Vectors) -> IntArray:
    """Of each pair the row whose query and passage have the highest cosine, the first of equal ones; int64, shape (n,).

    Args:
        among: int64, shape (n, n_languages): rows of the pairs, -1 where there is none.
        rows: int64, ascending: which rows the vectors belong to.
        queries, passages: float32, shape (len(rows), d), of length 1.
    """
    best = np.empty(len(among), dtype=np.int64)
    for start in range(0, len(among), _CHUNK):
        chunk = among[start : start + _CHUNK]
        cosines = np.full(chunk.shape, -np.inf)
        for column in range(chunk.shape[1]):
            there = np.flatnonzero(chunk[:, column] >= 0)
            places = np.searchsorted(rows, chunk[there, column])
            cosines[there, column] = (queries[places].astype(np.float64) * passages[places]).sum(axis=1)
        best[start : start + len(chunk)] = chunk[np.arange(len(chunk)), cosines.argmax(axis=1)]
    return best


@dataclass(frozen=True)
class _Texts:
    """Texts of a column, read a chunk at a time, as often as they are asked for."""

    table: PairTable
    column: str
    rows: IntArray

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self.rows), _CHUNK):
            yield from self.table.column(self.column, self.rows[start : start + _CHUNK])


def _encode(teacher: Any, digest: str, table: PairTable, rows: IntArray, kind: Kind, show: bool) -> Vectors:
    """Vectors of the queries or the passages of some rows; from the store, which only a process alone can fill."""
    texts = _Texts(table, kind, rows)
    if processes().world > 1 or isinstance(teacher, StoredVectors):
        return encode_texts(teacher, list(texts), kind, progress=show)
    return EmbeddingStore().encode(teacher, digest, prompt_of(teacher, kind), texts, kind, progress=show)


def _width(model: SentenceTransformer | StoredVectors) -> int:
    """Dimensions of its embeddings, as it gives them to its users."""
    return int(model.get_embedding_dimension() or len(model.encode_query("a")))


def _load(settings: TrainSettings) -> SentenceTransformer | StoredVectors:
    """The teacher. The base is its own teacher with the run's prompts; any other model has those that belong to it."""
    if settings.teacher_name.endswith(STORED):
        return StoredVectors(Path(settings.teacher_name))
    is_base = settings.teacher.model == BASE
    return load_model(
        settings.teacher_name,
        query_prompt=settings.query_prompt if is_base else None,
        passage_prompt=settings.passage_prompt if is_base else None,
        similarity="cosine",
        device="cpu" if processes().world > 1 and on_cpu() else None,
        dtype="float32",
    ).eval()
