"""Finished runs gathered into systems, and systems into experiments: one base, one training set, one benchmark."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean
from typing import Any, TypeGuard

from isoglot.evaluation.matching import RANK_DISTANCE
from isoglot.study.analysis.reading import Json, Study
from isoglot.tables import exact

CIRCUMSTANCES = ("data", "base", "amount")
"""What a system is trained on and begins with; everything else is how it is trained."""
METHOD = ("strategy", "mono_share", "tuning", "languages", "steps", "batch_size", "stages")
OF_TUNING = ("rank", "alpha", "targets", "layers", "tuning_kind")
TRAITS = (*CIRCUMSTANCES, *METHOD, *OF_TUNING, "kind", "system", "learning_rate")
"""What tells systems apart, and what is only asked for: kind (`base`, `trained`), system, learning_rate, and all of tuning."""
_WORDS = {"mono_share": "share of monolingual batches", "amount": "share of the training pairs"}


@dataclass(frozen=True, eq=False)
class System:
    """All training seeds of one way to train one base on one training set; or an untrained base.

    Attributes:
        name: as ids of runs have it, such as `hybrid-0.5-lora`; `base` for an untrained base.
        label: short text that no other system of the same experiment has.
        traits: see `TRAITS`. None where something does not apply.
        runs: as `results.json` has them, by seed.
        costs: their costs as `cost.json` has them; {} where a run has none.
        key: unique within the study.
        is_base: whether it is untrained; then `data` is None and `amount` 0.
        base, data: names.
        amount: share of the training pairs.
        seeds: of the runs.
        by_kind: whether its tuning may be called by its kind: no tuning of the study has that for a name.
    """

    name: str
    label: str
    traits: Mapping[str, Any]
    runs: tuple[Json, ...]
    costs: tuple[Json, ...]
    key: str
    is_base: bool
    base: str
    data: str | None
    amount: float
    seeds: tuple[int | None, ...]
    by_kind: bool = True

    @property
    def circumstances(self) -> str:
        """Base, data and amount in words."""
        amount = f", {exact(self.amount)} of the data" if self.amount != 1.0 else ""
        return self.base if self.is_base else f"{self.base} on {self.data}{amount}"

    @property
    def is_drawn(self) -> bool:
        """Whether a seed decides it; else it is one and the same however often it is made."""
        return self.seeds != (None,)

    def goes_on_from(self, other: System) -> bool:
        """Whether each of its runs begins with all stages of the run of `other` with the same seed, so that these are shared."""
        mine, theirs = (own.runs[0].get("stages") or [] for own in (self, other))
        where = ((own.base, own.data, own.amount, own.seeds) for own in (self, other))
        return len({*where}) == 1 and 0 < len(theirs) < len(mine) and mine[: len(theirs)] == theirs

    @property
    def needs(self) -> Json | None:
        """What it takes beside time (`isoglot.study.stages.Needs`); None in records from before it was written down."""
        return self.runs[0].get("needs")

    def benchmarks(self) -> list[str]:
        """Names of the benchmarks that all its runs were measured on, sorted."""
        return sorted(set.intersection(*(set(run["benchmarks"]) for run in self.runs)))

    def settings(self, benchmark: str) -> set[str]:
        """What all its runs were measured in there: mono, cross, ..., rank_distance, which is all of the bias."""
        return set.intersection(*(set(_scores(run, benchmark)) for run in self.runs))

    def paths(self, benchmark: str) -> tuple[str, ...]:
        """Folders of its results, relative to the study's."""
        return tuple(str(run["benchmarks"][benchmark]["path"]) for run in self.runs)

    def stated(self, benchmark: str, setting: str, measure: str) -> tuple[float, ...] | None:
        """A figure as `results.json` states it, per seed; None where a run lacks it."""
        figures = [_scores(run, benchmark).get(setting, {}).get(measure) for run in self.runs]
        numbers = tuple(float(figure) for figure in figures if is_number(figure))
        return numbers if len(numbers) == len(figures) else None

    def mean(self, benchmark: str, setting: str, measure: str) -> float | None:
        """The same, mean over seeds."""
        figures = self.stated(benchmark, setting, measure)
        return fmean(figures) if figures else None

    def cost(self, key: str) -> float | None:
        """A cost of `cost.json`, mean over seeds; None where a run lacks it."""
        numbers = [float(cost[key]) for cost in self.costs if is_number(cost.get(key))]
        return fmean(numbers) if numbers and len(numbers) == len(self.costs) else None


@dataclass(frozen=True, eq=False)
class Series:
    """Systems of one experiment that differ in one number alone, by that number.

    Attributes:
        key: which trait: mono_share, amount, rank.
        axis: the same in words.
        label: what the systems have in common.
        systems: two or more, by `x`.
        x: the numbers, ascending.
    """

    key: str
    axis: str
    label: str
    systems: tuple[System, ...]
    x: tuple[float, ...]


def _scores(run: Json, benchmark: str) -> dict[str, Json]:
    """What a run scored on a benchmark by setting, rank distance among them; {} where it was not measured."""
    scores = run["benchmarks"].get(benchmark) or {}
    bias = scores.get("bias") or {}
    return {**(scores.get("settings") or {}), **({RANK_DISTANCE: bias} if RANK_DISTANCE in bias else {})}


def encoder_share(run: Json) -> float | None:
    """Trained parameters over those of the encoder without its word embeddings and without what the tuning added.

    None where it was not recorded, and where word embeddings are trained as well.
    """
    trained = run.get("train") or {}
    facts = [
        trained.get(key) for key in ("trainable_parameters", "parameters", "embedding_parameters", "added_parameters")
    ]
    numbers = [fact for fact in facts if is_number(fact)]
    if len(numbers) < len(facts):
        return None
    trainable, every, embeddings, added = numbers
    own = every - embeddings - added
    return trainable / own if 0 < trainable <= own else None


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a JSON value is a number; true and false are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def systems_of(study: Study, runs: Sequence[Json]) -> list[System]:
    """The systems that some of a study's runs make up: bases first, then by name, numbers by size."""
    names = {(run.get("tuning") or {}).get("name") for run in study.runs}  # of runs that have not finished, too
    gathered: dict[str, tuple[Json, list[Json]]] = {}
    for run in runs:
        own = _traits(run)
        gathered.setdefault(json.dumps(own, sort_keys=True, default=str), (own, []))[1].append(run)
    trained = [own for own, _ in gathered.values() if own["kind"] != "base"]
    pairs = [two for two in combinations(trained, 2) if len({(own["data"], own["base"]) for own in two}) == 1]
    told = ("amount", "languages", "steps", "batch_size")  # in labels, where systems differ in them
    # of steps and batches there are none where nothing is trained
    differing = {key for one, two in pairs for key in told if one[key] != two[key] and one[key] and two[key]}
    systems = []
    for own, members in gathered.values():
        members.sort(key=lambda run: (run["seed"] is None, run["seed"]))
        called: Json = {
            "name": own["system"],
            "label": _label(own, members[0], differing),
            "key": str(members[0]["id"]),
        }
        where: Json = {"is_base": own["kind"] == "base", "base": own["base"], "data": own["data"]}
        costs = tuple(study.costs.get(str(run["id"])) or {} for run in members)
        amount, seeds = float(own["amount"] or 0.0), tuple(run["seed"] for run in members)
        where |= {"amount": amount, "seeds": seeds, "by_kind": own["tuning_kind"] not in names}
        systems.append(System(**called, traits=own, runs=tuple(members), costs=costs, **where))
    return sorted(systems, key=_order)


def _order(system: System) -> tuple[Any, ...]:
    pieces = re.split(r"(\d+(?:\.\d+)?)", f"{system.data} {system.base} {system.name}")
    natural = [(float(piece), "") if i % 2 else (-1.0, piece) for i, piece in enumerate(pieces)]
    return not system.is_base, natural, system.amount


def _traits(run: Json) -> Json:
    """What a run is, but for its seed."""
    if run["kind"] == "base":
        return {**dict.fromkeys(TRAITS), "kind": "base", "system": "base", "base": run["base"]}
    tuning = run.get("tuning") or {}
    own = {**run, **tuning, "kind": run["kind"], "tuning": tuning.get("name"), "tuning_kind": tuning.get("kind")}
    share = own.get("mono_share")
    method = [own.get("strategy"), exact(share) if is_number(share) else None, own["tuning"]]
    words = [str(word) for word in method if word]
    # records from before systems had names are of the grid, whose systems are called by what they combine
    rest = name = str(run.get("system") or "-".join(words))
    for word in words:
        rest = rest.replace(word, "", 1)
    stages = run.get("stages")
    # of the grid: further settings in its name; else all of its stages
    is_grid = rest != name and [list(stage) for stage in stages or [{"train": {}}]] == [["train"]]
    besides = rest.strip("-") if is_grid else json.dumps(stages or name, sort_keys=True)
    return {key: own.get(key) for key in TRAITS} | {"system": name, "stages": besides}


def _label(own: Json, run: Json, differing: set[str]) -> str:
    """`hybrid 0.5, lora`, with amount, languages and so on where others differ in them."""
    if own["kind"] == "base":
        return "base"
    strategy = f"{own['strategy']} {exact(own['mono_share'])}" if is_number(own["mono_share"]) else own["strategy"]
    method = [str(word) for word in (strategy, own["tuning"]) if word] or [str(own["system"])]
    words = [str(run["label"])] if run.get("label") else method
    if "amount" in differing:
        words.append(f"{100 * own['amount']:.12g}% of the data")
    if "languages" in differing:
        words.append(f"on {' '.join(own['languages'])}")
    words += [f"{key.replace('_', ' ')} {own[key]}" for key in ("steps", "batch_size") if key in differing and own[key]]
    return ", ".join(words)


def measured_together(systems: Sequence[System]) -> dict[tuple[str | None, str, str], list[System]]:
    """The systems of every (training set, base, benchmark), the untrained base first; training set None: only a base."""
    groups: dict[tuple[str | None, str, str], list[System]] = {}
    for system in sorted(systems, key=lambda system: system.is_base):
        for benchmark in system.benchmarks():
            keys = [(system.data, system.base, benchmark)]
            if system.is_base:
                keys = [key for key in groups if key[1:] == (system.base, benchmark)] or keys
            for key in keys:
                groups.setdefault(key, []).insert(0 if system.is_base else len(systems), system)
    return groups


def all_else_equal(one: System, two: System, free: Collection[str]) -> bool:
    """Whether two systems agree in every trait but the `free` ones, as far as a trait applies to both."""
    pairs = ((one.traits[key], two.traits[key]) for key in (*CIRCUMSTANCES, *METHOD) if key not in free)
    return all(None in pair or pair[0] == pair[1] for pair in pairs)


def series_of(systems: Sequence[System]) -> list[Series]:
    """Two or more trained systems each that differ in one number alone, over shares, amounts and ranks."""
    series = []
    for key, follows in (("mono_share", ()), ("amount", ("steps",)), ("rank", ("tuning", "alpha"))):
        groups: dict[str, list[System]] = {}
        for system in systems:
            if is_number(system.traits[key]):
                common = {k: v for k, v in system.traits.items() if k not in (key, "system", "learning_rate", *follows)}
                groups.setdefault(json.dumps(common, sort_keys=True), []).append(system)
        for members in groups.values():
            members.sort(key=lambda system: float(system.traits[key]))
            numbers = tuple(float(system.traits[key]) for system in members)
            if len(set(numbers)) > 1:
                series.append(Series(key, axis_words(key), _common_words(members[0], key), tuple(members), numbers))
    return series


def axis_words(key: str) -> str:
    """How pictures and sentences call a trait."""
    return _WORDS.get(key, key.replace("_", " "))


def _common_words(system: System, key: str) -> str:
    own = system.traits
    share = own["mono_share"]
    words = [own["tuning"] if key != "rank" else own["tuning_kind"], own["strategy"]]
    if key != "mono_share" and is_number(share) and share != 0.5:
        words.append(f"α={exact(share)}")
    method = ", ".join(str(word) for word in words if word) or system.name
    return f"{method}, {system.base} on {system.data}"
