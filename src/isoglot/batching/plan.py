"""The batch plan: a pure function from a step to the texts that are trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, overload

import numpy as np
from pydantic import Field, model_validator
from pydantic.fields import FieldInfo

from isoglot.batching.permutation import generator
from isoglot.batching.rewriting import Rewriting, RewrittenStep
from isoglot.batching.schedule import Schedule
from isoglot.batching.strategies import STRATEGIES, Choice, Strategy
from isoglot.batching.stratum import Stratum
from isoglot.data.languages import language
from isoglot.data.pairs.index import PairIndex
from isoglot.errors import InputError, unknown
from isoglot.records import Batch, FloatArray, IntArray, Side
from isoglot.settings import Settings, Weights, default_of, lift, member_of, member_options, to_dict

if TYPE_CHECKING:
    from isoglot.data.pairs.table import PairTable

MOST = 2**31 - 1
"""The largest count that settings accept: libraries hold counts in 32 bits."""
_LANGUAGES, _POSITIONS = 21, 22


class PlanSettings(Settings):
    """What a plan depends on beside the pairs. Settings of the strategy (`mono_share`) may stand among them."""

    inner: ClassVar[tuple[str, ...]] = ("strategy",)

    strategy: member_of(STRATEGIES) = default_of(STRATEGIES)  # type: ignore[valid-type]
    batch_size: int = Field(100, ge=2, le=MOST, description="pairs per batch, over all processes")
    seed: int = Field(0, ge=0, lt=2**32, description="same seed, same batches, on every machine")
    source_temperature: float = Field(
        1.0,
        gt=0,
        allow_inf_nan=True,
        description="a source of n pairs is drawn with weight n^(1/T): 1 is by size, inf is uniform",
    )
    source_weights: Weights = Field(
        {}, description="weights of sources by name instead; sources that are not named are not used"
    )
    language_weights: Weights = Field(
        {},
        description="weights of the languages of monolingual batches (default: uniform); languages that are not named are not "
        "used in them",
    )

    @model_validator(mode="before")
    @classmethod
    def _lift(cls, values: Any) -> Any:
        return lift(values, "strategy", STRATEGIES)

    def to_flat(self) -> dict[str, Any]:
        return self.flatten(to_dict(self))

    @staticmethod
    def flatten(values: dict[str, Any]) -> dict[str, Any]:
        """Plain values of these settings with the strategy's own among them: `strategy: hybrid, mono_share: .5`."""
        strategy = dict(values["strategy"])
        return {**values, "strategy": strategy.pop("name"), **strategy}

    @classmethod
    def options(cls) -> dict[str, FieldInfo]:
        return {**super().options(), **member_options(STRATEGIES)}


@dataclass(frozen=True)
class StratumInfo:
    """What one kind of batch is drawn from: source, language (None: pairs in two or more), probability per step and size."""

    kind: str
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

    >>> from isoglot import BatchPlan, PlanSettings, load_pairs
    >>> table = load_pairs("facts:de,en,hi?relations=endonym")
    >>> batch = BatchPlan(table.index, PlanSettings(strategy="cross", batch_size=16))[12345]
    >>> len(batch), len(table.column("query", batch.queries.rows))
    (16, 16)
    """

    def __init__(self, index: PairIndex, settings: PlanSettings) -> None:
        _check_names(index, settings)
        self.index = index
        self.settings = settings
        self.strata: list[StratumInfo] = []
        self._kinds: list[Strategy] = []
        self._rewritings: list[Rewriting | None] = []
        self._dealers: list[Stratum] = []
        problems = []
        for kind, source, lang, share in _checked_shares(index, settings):
            order = index.deal_order(source, lang)
            if order.n_groups < settings.batch_size:
                where = f"source '{index.sources[source]}' in {lang or 'two or more languages'}"
                problems.append(f"{where}: {order.n_groups}")
                continue
            dealer = Stratum(order, index.group, settings.batch_size, settings.seed, len(self._dealers))
            self._kinds.append(kind)
            self._rewritings.append(None if lang is None else kind.rewriting(lang))
            self._dealers.append(dealer)
            sizes = dealer.n_pairs, dealer.n_groups, dealer.batches_per_epoch
            self.strata.append(StratumInfo(kind.name, index.sources[source], lang, share, *sizes))
        if problems:
            raise InputError(
                f"batch size {settings.batch_size} is more than the pairs with different passages and queries of "
                f"{'; '.join(problems)}: take a smaller batch, or leave the source or language out"
            )
        self._schedule = Schedule(np.array([info.share for info in self.strata]), settings.seed)

    @property
    def rewrites(self) -> bool:
        """Whether texts of any batch are others than those of its rows."""
        return any(rewriting is not None for rewriting in self._rewritings)

    def notes(self, table: PairTable) -> list[str]:
        """What the strategy says of the pairs that it draws, a line each."""
        drawn: dict[str, list[int]] = {}
        for info in self.strata:
            if info.language is not None:
                drawn.setdefault(info.language, []).append(self.index.sources.index(info.source))
        strategy: Strategy = self.settings.strategy
        return strategy.notes(table, drawn)

    @property
    def most_pairs(self) -> int:
        """The largest batch that all strata allow."""
        return min(info.groups for info in self.strata)

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
        number, draw = self._schedule.at(step)
        info, seed = self.strata[number], self.settings.seed
        # the order inside a batch is shuffled too: processes that take slices get like shares of every kind of pair
        pairs = generator(seed, _POSITIONS, step).permutation(self._dealers[number].batch(draw))
        rows = self.index.rows[pairs].astype(np.int64, copy=False)
        language = None if info.language is None else self.index.languages.index(info.language)
        choices = self._kinds[number].choose(rows >= 0, language, partial(generator, seed, _LANGUAGES, step))
        queries, passages = (_side(rows, pairs, choice) for choice in choices)
        rewriting = self._rewritings[number]
        if rewriting is None:
            return Batch(step, info.kind, info.source, info.language, len(pairs), queries, passages)
        rewrite = RewrittenStep(rewriting, seed, step)
        of_queries, of_passages = rewrite.targets(len(pairs))
        queries, passages = replace(queries, targets=of_queries), replace(passages, targets=of_passages)
        return Batch(step, info.kind, info.source, info.language, len(pairs), queries, passages, rewrite)


def _side(rows: IntArray, pairs: IntArray, choice: Choice) -> Side:
    places, languages = choice
    return Side(rows[places, languages], pairs[places], places, languages)


def _source_weights(index: PairIndex, settings: PlanSettings, lang: str | None) -> FloatArray:
    """Unnormalised weight of each source for batches in `lang` (None: of two or more languages), shape (n_sources,).

    In one language the query of plain bitext is its passage, and there is nothing to find: it is drawn for no such batch.
    """
    sizes = index.counts[:, index.column(lang)].astype(np.float64)
    if lang is not None:
        sizes[[name in index.bitext for name in index.sources]] = 0.0
    if settings.source_weights:
        given = np.array([settings.source_weights.get(name, 0.0) for name in index.sources], dtype=np.float64)
        return np.where(sizes > 0, given, 0.0)
    return np.where(sizes > 0, sizes ** (1.0 / settings.source_temperature), 0.0)


Share = tuple[Strategy, int, "str | None", float]


def _shares(index: PairIndex, settings: PlanSettings) -> Iterator[Share]:
    """(kind of batch, source, language, probability per step) of all strata."""
    for kind, probability in settings.strategy.parts():
        if probability <= 0:
            continue
        languages = _languages(index, settings) if kind.by_language else {None: 1.0}
        for lang, weight in languages.items():
            sources = _source_weights(index, settings, lang)
            if sources.sum() <= 0:
                raise InputError(
                    f"strategy '{settings.strategy.name}' needs pairs that exist in two or more languages; found none "
                    f"(languages: {', '.join(index.languages)}): give parallel pairs with the same id in each language, or "
                    f"use a strategy of one language per batch ({', '.join(_monolingual())})"
                )
            for number, value in enumerate(sources):
                if value > 0:
                    share = probability * weight / sum(languages.values()) * float(value / sources.sum())
                    yield kind, number, lang, share


def _checked_shares(index: PairIndex, settings: PlanSettings) -> list[Share]:
    with np.errstate(over="ignore", invalid="ignore"):
        shares = list(_shares(index, settings))
    drawn = sum(share for *_, share in shares)
    if not np.isclose(drawn, sum(probability for _, probability in settings.strategy.parts())):
        raise InputError(
            "source_weights, language_weights or source_temperature: too far from 1 to compute how often each source and "
            "language is drawn"
        )
    return shares


def _monolingual() -> list[str]:
    return [strategy.name for strategy in STRATEGIES if strategy.by_language]


def _across_languages() -> list[str]:
    """Strategies without a batch of one language."""
    kinds = [kind for kind in STRATEGIES if not kind.by_language]
    return [kind.name for kind in kinds if not any(part.by_language for part, _ in kind().parts())]


def _languages(index: PairIndex, settings: PlanSettings) -> dict[str | None, float]:
    """Weights of the languages of monolingual batches."""
    chosen = _language_weights(settings) or dict.fromkeys(index.languages, 1.0)
    weights: dict[str | None, float] = {
        lang: chosen[lang]
        for lang in index.languages
        if chosen.get(lang, 0.0) > 0 and _source_weights(index, settings, lang).sum() > 0
    }
    if not weights and index.bitext:
        raise InputError(
            f"strategy '{settings.strategy.name}' draws batches of one language, and {', '.join(index.bitext)} "
            f"{'is' if len(index.bitext) == 1 else 'are'} plain bitext, where every query is its own passage: use a strategy "
            f"whose batches have several languages ({', '.join(_across_languages())}), or give pairs with answers as well"
        )
    if not weights:
        raise InputError("no language has pairs for monolingual batches under these source and language weights")
    return weights


def _language_weights(settings: PlanSettings) -> dict[str, float]:
    """The weights under the codes that tables use. InputError where two codes are one language."""
    weights: dict[str, float] = {}
    for code, weight in settings.language_weights.items():
        if (lang := language(code)) in weights:
            raise InputError(f"language_weights: '{lang}' is given twice ({', '.join(settings.language_weights)})")
        weights[lang] = weight
    return weights


def _check_names(index: PairIndex, settings: PlanSettings) -> None:
    for kind, weights, known in (
        ("source", settings.source_weights, index.sources),
        ("language", _language_weights(settings), index.languages),
    ):
        for name in weights:
            if name not in known:
                raise unknown(f"{kind} in {kind}_weights", name, known)
