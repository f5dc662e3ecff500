"""A study directory as the claims read it: cells, recipes (cells that differ in their seed alone) and their result files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isoglot.errors import InputError
from isoglot.evaluation.matching import System
from isoglot.evaluation.results import Result, load_result
from isoglot.files import read_json

RESAMPLES, SEED = 9999, 0
_DEFAULT_SHARE = 0.5


@dataclass(frozen=True)
class Arm:
    """What two recipes share that may be compared: everything but the batches, the tuning and the seed."""

    data: str
    base: str
    amount: float
    languages: tuple[str, ...]
    steps: int
    batch_size: int

    def __str__(self) -> str:
        part = f", {self.amount:g} of the data" if self.amount != 1.0 else ""
        return f"{self.base} on {self.data}{part}"


@dataclass(frozen=True)
class Recipe:
    """A way to train, with its finished cells, one per seed; or an untrained base.

    Attributes:
        arm: None for a base.
        strategy: mono, cross or hybrid; hybrid batches of share 1 are mono, of share 0 cross. None for a base.
        share: of monolingual batches; None for a base.
        tuning, kind, rank: name of the tuning, "lora" or "full", and LoRA's rank; None for a base.
        cells: plain JSON records, by seed.
    """

    arm: Arm | None
    base: str
    strategy: str | None
    share: float | None
    tuning: str | None
    kind: str | None
    rank: int | None
    cells: tuple[Mapping[str, Any], ...] = field(hash=False)

    def benchmarks(self) -> list[str]:
        """Names of the benchmarks that all its cells were measured on, sorted."""
        return sorted(set.intersection(*(set(cell["benchmarks"]) for cell in self.cells)))


def at_a_time(costs: Iterable[Mapping[str, Any] | None]) -> str:
    """How many cells ran at the same time, in words; "" where it was not recorded for all of them."""
    found = [((cost or {}).get("machine") or {}).get("cells_at_a_time") for cost in costs]
    numbers = [number for number in found if isinstance(number, int)]
    if not found or len(numbers) < len(found):
        return ""
    return "cells ran one at a time" if max(numbers) == 1 else f"up to {max(numbers)} cells ran at a time"


class StudyResults:
    """results.json, cost.json and audit.json of a study, and the rows per query when they are asked for.

    Attributes:
        home: the study directory.
        results, costs, study: the files' content; {} where cost.json or study.json is not there.
        audit: content of audit.json; None where the study was not audited.
        resamples, seed: of intervals and tests.
        cache: for whoever computes something from it twice.
    """

    def __init__(self, home: Path, parts: Mapping[str, Any], *, resamples: int = RESAMPLES, seed: int = SEED) -> None:
        self.home = home
        self.results: dict[str, Any] = parts["results"]
        self.costs: dict[str, Any] = parts.get("cost") or {}
        self.study: dict[str, Any] = parts.get("study") or {}
        audited = (self.results.get("audit") or {}).get("leaks") is not None
        self.audit: dict[str, Any] | None = (parts.get("audit") or None) if audited else None
        self.resamples, self.seed = resamples, seed
        self.cache: dict[Any, Any] = {}
        self._results: dict[str, Result] = {}
        self.recipes, self.bases = _recipes(self.done)

    @classmethod
    def open(cls, home: str | Path, *, resamples: int = RESAMPLES, seed: int = SEED) -> StudyResults:
        """Read a study directory.

        Raises:
            InputError: results.json is missing or is none; another file is no JSON object.
        """
        folder = Path(home)
        parts: dict[str, Any] = {}
        for name in ("results", "cost", "study", "audit"):
            path = folder / f"{name}.json"
            if name != "results" and not path.is_file():
                continue
            parts[name] = read_json(path)
            if not isinstance(parts[name], dict):
                raise InputError(f"{path}: expected a JSON object, as `isoglot study run` writes it")
        if not isinstance(parts["results"].get("cells"), list):
            raise InputError(f"{folder / 'results.json'}: no 'cells'; expected the results of `isoglot study run`")
        try:
            return cls(folder, parts, resamples=resamples, seed=seed)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"{folder / 'results.json'}: a cell is not as `isoglot study run` writes it ({error})"
            ) from None

    @property
    def cells(self) -> list[Mapping[str, Any]]:
        """All cells, by id."""
        return sorted(self.results["cells"], key=lambda cell: str(cell["id"]))

    @property
    def done(self) -> list[Mapping[str, Any]]:
        """Finished cells, by id."""
        return [cell for cell in self.cells if cell["status"] == "done"]

    @property
    def trained_pairs(self) -> list[tuple[str, str]]:
        """(data, benchmark) of all finished trained cells, sorted."""
        return sorted({(cell["data"], name) for cell in self.done if cell["data"] for name in cell["benchmarks"]})

    def audited(self, data: str, benchmark: str) -> Mapping[str, Any] | None:
        """What the audit found for training data and benchmark; None where it did not look."""
        for item in (self.audit or {}).get("comparisons", []):
            if item["data"] == data and Path(item["benchmark"]).name == benchmark:
                found: Mapping[str, Any] = item
                return found
        return None

    def leaked(self, data: str, benchmark: str) -> bool:
        """Whether the audit found the benchmark in the data: then results on it are not zero-shot."""
        found = self.audited(data, benchmark)
        return bool(found and found["leak"])

    def system(self, recipe: Recipe, benchmark: str, columns: Sequence[str]) -> System:
        """A recipe's results with the columns that are needed, one result per seed.

        Raises:
            InputError: a result file is missing or malformed.
        """
        places = self.places(recipe, benchmark)
        results = []
        for place in places:
            result = self.result(place)
            names = [name for name in columns if name in result.per_query.column_names]
            results.append(Result(result.summary, result.per_query.select([*_KEYS, *names])))
        name = f"{recipe.tuning} {recipe.strategy}" if recipe.arm else "base"
        return System(name, tuple(results), tuple(places))

    def result(self, place: str) -> Result:
        """The result in a folder of the study, read once."""
        if place not in self._results:
            loaded = load_result(self.home / place)
            missing = [name for name in _KEYS if name not in loaded.per_query.column_names]
            if missing:
                raise InputError(f"{self.home / place}: no column '{missing[0]}' in the rows per query")
            self._results[place] = loaded
        return self._results[place]

    def places(self, recipe: Recipe, benchmark: str) -> list[str]:
        """Folders of a recipe's results, relative to the study's."""
        return [str(cell["benchmarks"][benchmark]["path"]) for cell in recipe.cells]

    def seeds(self, recipe: Recipe, benchmark: str) -> int:
        """Training seeds with a model of their own: the very same model twice tells nothing about a recipe."""
        digests = [self.result(place).summary["digests"].get("model") for place in self.places(recipe, benchmark)]
        return len({digest for digest in digests if digest}) + digests.count(None)

    def open_cells(self) -> int:
        """How many cells failed or are pending: what they would have shown is not known."""
        return len(self.cells) - len(self.done)


_KEYS = ("setting", "query_id", "query_lang", "doc_lang", "group")


def _recipes(cells: Sequence[Mapping[str, Any]]) -> tuple[list[Recipe], dict[str, Recipe]]:
    """Recipes in the order of their first cell, and bases by name."""
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    bases: dict[str, Recipe] = {}
    for cell in cells:
        if cell["kind"] == "base":
            bases[cell["base"]] = Recipe(None, cell["base"], None, None, None, None, None, (cell,))
            continue
        groups.setdefault(_key(cell), []).append(cell)
    made = []
    for (arm, strategy, share, tuning, kind, rank, *_), members in groups.items():
        ordered = tuple(sorted(members, key=lambda cell: (cell["seed"] is None, cell["seed"])))
        made.append(Recipe(arm, arm.base, strategy, share, tuning, kind, rank, ordered))
    return made, bases


def _key(cell: Mapping[str, Any]) -> tuple[Any, ...]:
    tuning = cell["tuning"] or {}
    strategy, share = cell["strategy"], cell["mono_share"]
    if strategy == "hybrid":
        share = _DEFAULT_SHARE if share is None else float(share)
        strategy = {0.0: "cross", 1.0: "mono"}.get(share, "hybrid")
    share = {"mono": 1.0, "cross": 0.0}.get(strategy, share)
    numbers = (float(cell["amount"]), tuple(cell["languages"]), int(cell["steps"]), int(cell["batch_size"]))
    arm = Arm(str(cell["data"]), str(cell["base"]), *numbers)
    rate = cell["learning_rate"]
    # the ends of a series over shares stay apart from cells that were asked to be mono or cross
    return arm, strategy, share, tuning.get("name"), tuning.get("kind"), tuning.get("rank"), rate, cell["strategy"]
