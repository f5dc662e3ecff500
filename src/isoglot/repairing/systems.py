"""The systems of a repair as far as they were measured: their figures, what they are called, how they were made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isoglot.errors import InputError
from isoglot.files import read_json
from isoglot.repairing.choice import BASE, HELD_OUT, Scores, System
from isoglot.repairing.folder import RepairFolder
from isoglot.repairing.settings import RepairSettings

CANDIDATES = ("debiased", "trained", "averaged", "corrected")
"""What may be kept, in the order in which it is made; `corrected` is the better one of the two before it, debiased."""


def benchmarks_of(folder: RepairFolder, asked: RepairSettings) -> dict[str, str]:
    """What is measured on, by the names of their results, the pairs held out first. InputError: two have one name."""
    named = {HELD_OUT: str(folder.held_out)}
    for source in asked.benchmark:
        name = Path(source).name or source
        if named.setdefault(name, source) != source or asked.benchmark.count(source) > 1:
            raise InputError(f"benchmark {source}: another one is called '{name}', too")
    return named


class Measured:
    """Reads what the stages have found.

    Args:
        model: the base.
        benchmarks: names of the results that every system has.
    """

    def __init__(self, folder: RepairFolder, asked: RepairSettings, model: str, benchmarks: Sequence[str]) -> None:
        self._folder, self._asked, self._model, self._benchmarks = folder, asked, model, benchmarks

    def systems(self, keys: Sequence[str] | None = None) -> list[System]:
        """The base, and those that were made and measured; of `keys` alone where they are given."""
        every = (*CANDIDATES, *self._asked.compare)
        wanted = [BASE, *(key for key in every if keys is None or key in keys)]
        return [self._system(key) for key in wanted if self._is_measured(key)]

    def _found(self, stage: str) -> dict[str, Any]:
        return self._folder.found(stage) or {}

    def _is_measured(self, key: str) -> bool:
        return self._folder.found(f"measure {key}") is not None and "skipped" not in self._found(key)

    def _system(self, key: str) -> System:
        summaries = {name: read_json(self._folder.result(key, name) / "summary.json") for name in self._benchmarks}
        scores = {name: Scores.of(summary) for name, summary in summaries.items()}
        is_candidate = key not in self._asked.compare
        return System(key, self._label(key), self._how(key), scores, is_candidate, self._seconds(key))

    def _label(self, key: str) -> str:
        recipe, of = self._asked.recipe, self._found(key).get("of")
        labels = {
            "debiased": "LSAR",
            "trained": recipe,
            "averaged": f"{recipe} averaged",
            "corrected": f"{recipe}{' averaged' if of == 'averaged' else ''} + LSAR",
        }
        return labels.get(key, key)

    def _how(self, key: str) -> str:
        """How a system was made, in a sentence."""
        if key == BASE:
            return f"`{self._model}` as it is."
        recipe = self._asked.recipe if key in CANDIDATES else key
        length, share, found = self._found("length"), self._asked.share, self._found(key)
        words = [f"`{self._model}`"]
        if key != "debiased":
            words.append(
                f"trained by the recipe `{recipe}`: {length['steps']:,} steps of {length['batch_size']} parallel pairs"
            )
        if "averaged" in (key, found.get("of")):
            words.append(f"its weights {share:g} times the trained ones and {1 - share:g} times those of the base")
        if key in ("debiased", "corrected"):
            words.append(
                f"with a linear correction that takes the language out of its embeddings (LSAR, strength {found['strength']:g})"
            )
        return f"{', '.join(words)}."

    def _seconds(self, key: str) -> float:
        """What it took to make a system, with all that it is made of."""
        found = self._found(key)
        before = {"averaged": "trained", "corrected": found.get("of")}.get(key)
        return float(found.get("seconds", 0.0)) + (self._seconds(before) if before else 0.0)
