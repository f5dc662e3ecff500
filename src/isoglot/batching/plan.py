"""The batch plan: a pure function from a step to the rows that are trained on.

Strategies (Elmahdy, Lin and Ahmad 2024, arXiv 2408.10536, section 3; the baselines from Roy et al. 2020, arXiv 2004.05484):

- `mono` ("X-X-mono"): one language for the whole batch, query and passage both in it;
- `cross` ("X-Y"): in every pair, query and passage are in two different languages;
- `hybrid`: each batch is mono with probability `mono_share` (alpha), cross otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import overload

import numpy as np

from isoglot.batching.permutation import generator
from isoglot.batching.schedule import Schedule
from isoglot.batching.stratum import Stratum
from isoglot.data.pairs.index import PairIndex
from isoglot.errors import InputError, unknown
from isoglot.records import Batch, BatchKind, FloatArray, IntArray, Strategy

STRATEGIES: tuple[Strategy, ...] = ("mono", "cross", "hybrid")
_LANGUAGES, _POSITIONS = 21, 22


@dataclass(frozen=True)
class PlanSettings:
    """What a plan depends on beside the pairs.

    Attributes:
        strategy: mono, cross or hybrid.
        mono_share: alpha of hybrid: probability that a batch is monolingual.
        batch_size: pairs per batch, over all processes.
        seed: same seed, same batches, on every machine.
        source_temperature: a source with n pairs is drawn with weight n ** (1 / temperature); 1 is by size, inf is uniform.
        source_weights: weights of sources by name instead; sources that are not named are not used.
        language_weights: weights of the languages of monolingual batches (default: uniform); languages that are not named are
            not used in monolingual batches.
    """

    strategy: Strategy = "hybrid"
    mono_share: float = 0.5
    batch_size: int = 100
    seed: int = 0
    source_temperature: float = 1.0
    source_weights: Mapping[str, float] = field(default_factory=dict)
    language_weights: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class StratumInfo:
    """One kind of batch: its source, language (None: cross-lingual), probability per step and size."""

    kind: BatchKind
    source: str
    language: str | None
    share: float
    pairs: int
    groups: int
    batches_per_epoch: int


class BatchPlan:
    """`plan[step]` is the batch of that step; `plan[a:b]` iterates over the batches of a range (`plan[a:]` without end).

    The plan keeps no state: any step can be asked for at any time, in any process, and gives the same rows.

    Args:
        index: of the pair table.
        settings: strategy, batch size, seed, weights.

    Raises:
        InputError: settings out of range; one language with `cross` or `hybrid`; a stratum with fewer pairs that may share
            a batch than the batch size; weights that name nothing.
    """

    def __init__(self, index: PairIndex, settings: PlanSettings) -> None:
        _check(index, settings)
        self.index = index
        self.settings = settings
        self.strata: list[StratumInfo] = []
        self._dealers: list[Stratum] = []
        shares = _mono_shares(index, settings) + _cross_shares(index, settings)
        problems = []
        for kind, source, lang, share in shares:
            order = index.deal_order(source, lang)
            if order.n_groups < settings.batch_size:
                where = f"source '{index.sources[source]}' in {lang or 'two or more languages'}"
                problems.append(f"{where}: {order.n_groups}")
                continue
            dealer = Stratum(order, index.group, settings.batch_size, settings.seed, len(self._dealers))
            self._dealers.append(dealer)
            self.strata.append(
                StratumInfo(
                    kind, index.sources[source], lang, share, dealer.n_pairs, dealer.n_groups, dealer.batches_per_epoch
                )
            )
        if problems:
            raise InputError(
                f"batch size {settings.batch_size} is more than the pairs with different passages and queries of "
                f"{'; '.join(problems)}: take a smaller batch, or leave the source or language out"
            )
        self._schedule = Schedule(np.array([info.share for info in self.strata]), settings.seed)

    @property
    def steps_per_epoch(self) -> int:
        """Steps after which as many pairs have been drawn as there are: ceil(pairs / batch size)."""
        return -(-self.index.n_pairs // self.settings.batch_size)

    @overload
    def __getitem__(self, step: int) -> Batch: ...

    @overload
    def __getitem__(self, step: slice) -> Iterator[Batch]: ...

    def __getitem__(self, step: int | slice) -> Batch | Iterator[Batch]:
        if isinstance(step, slice):
            if step.step not in (None, 1):
                raise ValueError("a plan is sliced by consecutive steps")
            begin = step.start or 0
            return map(self._batch, count(begin) if step.stop is None else range(begin, step.stop))
        return self._batch(step)

    def _batch(self, step: int) -> Batch:
        info, pairs = self._drawn(step)
        rows = self.index.rows[pairs].astype(np.int64, copy=False)
        if info.language is not None:
            query_rows = passage_rows = rows[:, self.index.languages.index(info.language)]
        else:
            query_rows, passage_rows = self._two_languages(rows, step)
        return Batch(step, info.kind, info.source, info.language, query_rows, passage_rows)

    def _drawn(self, step: int) -> tuple[StratumInfo, IntArray]:
        """The stratum of a step and the pairs of its batch, int64, shape (batch_size,)."""
        number, draw = self._schedule.at(step)
        pairs = self._dealers[number].batch(draw)
        # the order inside a batch is shuffled too: processes that take slices get like shares of every kind of pair
        return self.strata[number], generator(self.settings.seed, _POSITIONS, step).permutation(pairs)

    def pairs_of(self, batch: Batch) -> IntArray:
        """Pair numbers of a batch of this plan or a part of it, in the order of its rows; shape (len(batch),)."""
        _, pairs = self._drawn(batch.step)
        rows = self.index.rows[pairs]
        # a row belongs to one pair; the place of each query row among all rows of the step's pairs tells which
        order = np.argsort(rows, axis=None)
        place = order[np.searchsorted(rows.ravel(), batch.query_rows, sorter=order)]
        found: IntArray = pairs[place // rows.shape[1]]
        return found

    def _two_languages(self, rows: IntArray, step: int) -> tuple[IntArray, IntArray]:
        """For each row of (batch_size, n_languages), two different languages that the pair has, ordered, uniformly."""
        order = generator(self.settings.seed, _LANGUAGES, step).random(rows.shape)
        order[rows < 0] = 2.0
        every = np.arange(len(rows))
        first = order.argmin(axis=1)
        order[every, first] = 3.0
        return rows[every, first], rows[every, order.argmin(axis=1)]


def _source_weights(index: PairIndex, settings: PlanSettings, lang: str | None) -> FloatArray:
    """Unnormalised weight of each source for batches in `lang` (None: cross-lingual), shape (n_sources,)."""
    sizes = index.counts[:, index.column(lang)].astype(np.float64)
    if settings.source_weights:
        given = np.array([settings.source_weights.get(name, 0.0) for name in index.sources], dtype=np.float64)
        return np.where(sizes > 0, given, 0.0)
    return np.where(sizes > 0, sizes ** (1.0 / settings.source_temperature), 0.0)


Share = tuple[BatchKind, int, "str | None", float]


def _mono_shares(index: PairIndex, settings: PlanSettings) -> list[Share]:
    part = {"mono": 1.0, "cross": 0.0, "hybrid": settings.mono_share}[settings.strategy]
    chosen = settings.language_weights or dict.fromkeys(index.languages, 1.0)
    languages = {lang: chosen[lang] for lang in index.languages if chosen.get(lang, 0.0) > 0}
    languages = {lang: weight for lang, weight in languages.items() if _source_weights(index, settings, lang).sum() > 0}
    if part > 0 and not languages:
        raise InputError("no language has pairs for monolingual batches under these source and language weights")
    shares: list[Share] = []
    for lang, weight in languages.items() if part > 0 else ():
        sources = _source_weights(index, settings, lang)
        shares += [
            ("mono", number, lang, part * weight / sum(languages.values()) * float(value / sources.sum()))
            for number, value in enumerate(sources)
            if value > 0
        ]
    return shares


def _cross_shares(index: PairIndex, settings: PlanSettings) -> list[Share]:
    part = {"mono": 0.0, "cross": 1.0, "hybrid": 1.0 - settings.mono_share}[settings.strategy]
    if part <= 0:
        return []
    sources = _source_weights(index, settings, None)
    if sources.sum() <= 0:
        only = ", ".join(index.languages)
        raise InputError(
            f"strategy '{settings.strategy}' needs pairs that exist in two or more languages; found none (languages: {only}): "
            "give parallel pairs with the same id in each language, or use strategy 'mono'"
        )
    return [
        ("cross", number, None, part * float(value / sources.sum()))
        for number, value in enumerate(sources)
        if value > 0
    ]


def _check(index: PairIndex, settings: PlanSettings) -> None:
    if settings.strategy not in STRATEGIES:
        raise unknown("strategy", settings.strategy, STRATEGIES)
    if not 0.0 <= settings.mono_share <= 1.0:
        raise InputError(f"mono_share must lie between 0 and 1, got {settings.mono_share}")
    if settings.batch_size < 2:
        raise InputError(f"batch_size must be at least 2 (in-batch negatives), got {settings.batch_size}")
    if settings.seed < 0:
        raise InputError(f"seed must not be negative, got {settings.seed}")
    if not settings.source_temperature > 0:
        raise InputError(f"source_temperature must be above 0, got {settings.source_temperature}")
    for kind, weights, known in (
        ("source", settings.source_weights, index.sources),
        ("language", settings.language_weights, index.languages),
    ):
        for name, weight in weights.items():
            if name not in known:
                raise unknown(f"{kind} in {kind}_weights", name, known)
            if not 0 <= weight < float("inf"):
                raise InputError(f"{kind}_weights: weight of '{name}' must be 0 or more, got {weight}")
