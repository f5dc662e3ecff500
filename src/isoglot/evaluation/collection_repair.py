"""What repairs an unfair index: commands with its own names filled in, and pairs of its translated documents to train on."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from isoglot.data.langid import UNKNOWN
from isoglot.errors import InputError
from isoglot.evaluation.collection_questions import GROUPS, drawn, groups_of, items_of
from isoglot.files import atomic_path, dump_jsonl
from isoglot.retrieval.collection import Collection

_PAIRS = 16
"""Of a language, at least, that is trained on."""
_BATCH = 32


def repairs(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Three ways, each with "title", "about" and "commands", for the first model that was measured and is not debiased.

    Args:
        record: of `isoglot.evaluation.collection_bias.collection_bias`.
    """
    names = _Names(record)
    return [_mixing(record, names), _debiasing(names), _training(record, names)]


class _Names:
    """What stands in commands: names that are there, and new ones.

    Attributes:
        index: its directory.
        base: what is repaired: a model before any correction.
        model: its name in the index; None where it is not there.
        seed: words that draw the groups by the same chance.
        asking: words that ask the same questions again.
    """

    def __init__(self, record: Mapping[str, Any]) -> None:
        systems, asked = record["systems"], record["questions"]
        first = next((system for system in systems if system["base"] == system["source"]), systems[0])
        self.index, self.base = str(record["index"]["path"]), str(first["base"])
        self._models: Mapping[str, str] = record["index"]["models"]
        self.model = next((name for name, source in self._models.items() if source == self.base), None)
        self._plain = self.model or Path(self.base.rpartition(":")[2]).name
        self.seed = ("--seed", asked["seed"]) if asked["seed"] else ()
        groups = asked["groups_asked_for"]
        self.asking = (*(("--groups", groups) if groups != GROUPS else ()), *self.seed)

    @property
    def is_first(self) -> bool:
        """Whether a search takes the model without being told."""
        return self.model == next(iter(self._models))

    def free(self, ending: str) -> str:
        """A name that no model of the index has, and no file here."""
        own, number = f"{self._plain}-{ending}", 1
        stem, dot, suffix = own.partition(".jsonl")
        while (name := own if number == 1 else f"{stem}-{number}{dot}{suffix}") in self._models or Path(name).exists():
            number += 1
        return name


def _command(*words: object) -> str:
    return shlex.join(map(str, ("isoglot", *words)))


def _mixing(record: Mapping[str, Any], names: _Names) -> dict[str, Any]:
    model = () if names.is_first or names.model is None else ("--model", names.model)
    return {
        "title": "At once: mix languages by comparable scores",
        "about": "Scores of each language less what unrelated texts in it score. Nothing is encoded again; the first command "
        "shows what it does here.",
        "commands": [
            _command("bias", names.index, *model, *names.asking, "--fairness", "raw", "standardised"),
            _command("search", names.index, record["questions"]["example"], *model, "--fairness", "standardised"),
        ],
    }


def _debiasing(names: _Names) -> dict[str, Any]:
    name = names.free("debiased")
    adding, measured = ("index", name, "--name", name, "--output", names.index), [name]
    if names.model is not None:
        adding, measured = ("debias", name, "--embeddings", names.index, "--name", name), [names.model, name]
    return {
        "title": "In minutes: take the language out of the vectors",
        "about": "A linear correction, fitted on texts of this index (so figures on it are no test of the correction), as a "
        "model beside the others" + ("." if names.model is None else "; the vectors are corrected, not encoded again."),
        "commands": [
            _command("debias", names.base, "--fit", names.index, "--output", name),
            _command(*adding),
            _command("bias", names.index, "--model", *measured, *names.asking),
        ],
    }


def _training(record: Mapping[str, Any], names: _Names) -> dict[str, Any]:
    """With pairs of translated documents that are not measured, or with generated ones."""
    title, left = "In minutes to hours: train on multilingual batches", record["questions"]["to_train"]
    name, pairs = names.free("trained"), names.free("pairs.jsonl")
    kept = {lang: n for lang, n in left["pairs"].items() if n >= _PAIRS}
    training: tuple[object, ...] = ("train", "--base", names.base, "--output", name)
    asking: tuple[object, ...] = names.asking
    if len(kept) > 1:
        asking = ("--groups", left["groups"], *names.seed)
        about = (
            f"On translated documents that are not measured ({left['groups']} groups are, all others give pairs of a title and "
            "its text)."
        )
        making = [_command("bias", names.index, *asking, "--pairs", pairs)]
        training = (*training, "--pairs", pairs, "--batch-size", min(_BATCH, min(kept.values()) // 2))
        if len(kept) < len(left["pairs"]):
            training = (*training, "--languages", *sorted(kept))
    elif len(own := record["questions"]["facts"]) > 1:
        about = (
            "Too few translated documents are left to train on: on generated facts in the languages of the index. Pairs like "
            "your documents do better (isoglot data translate makes such)."
        )
        making, training = [], (*training, "--pairs", f"facts:{','.join(own)}", "--steps", 100, "--batch-size", _BATCH)
    else:
        about = (
            "There are too few translated documents to train on: isoglot data translate makes pairs of translations."
        )
        return {"title": title, "about": about, "commands": []}
    return {
        "title": title,
        "about": about,
        "commands": [
            *making,
            _command(*training),
            _command("index", name, "--name", name, "--output", names.index),
            _command("bias", names.index, *asking),
        ],
    }


def to_train(collection: Collection, most: int = GROUPS, seed: int = 0) -> dict[str, Any]:
    """How many groups to measure so that most are left, and how many pairs the rest give at most, by language."""
    groups = groups_of(collection)
    measured = min(most, len(groups) // 3)
    rest = drawn(groups, len(groups), seed)[measured:]
    counts = Counter(lang for name in rest for lang in {lang for _, lang in groups[name]} - {UNKNOWN})
    return {"groups": measured, "pairs": {lang: counts[lang] for lang in sorted(counts)}}


def write_translated_pairs(path: str | Path, output: Path, groups: int = GROUPS, seed: int = 0) -> dict[str, Any]:
    """Write pairs of all groups of translations that a measurement with the same `groups` and `seed` does not ask about.

    A row is a document: its title (or first sentence) as the query, its text without it, of the first chunk, as the passage.

    Returns:
        "groups", "pairs", "languages" (pairs by language), "left_out" (documents, by reason).

    Raises:
        InputError: no index; no group is left, or none with a text.
    """
    counts: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    with Collection.open(path) as collection:
        known = groups_of(collection)
        rest = drawn(known, len(known), seed)[groups:]
        if not rest:
            raise InputError(
                f"{path}: all {len(known):,} groups of translations are measured; give fewer with --groups, or more documents"
            )
        with atomic_path(output) as temporary:
            rows = _rows(collection, known, rest, counts, left_out)
            dump_jsonl(temporary, rows, packed=output.suffix == ".gz")
            if not counts:
                raise InputError(
                    f"{path}: no document of the {len(rest):,} groups that are left has a text beside its title"
                )
    return {
        "path": str(output),
        "groups": len(rest),
        "pairs": sum(counts.values()),
        "languages": dict(sorted(counts.items())),
        "left_out": dict(left_out),
    }


def _rows(
    collection: Collection,
    known: Mapping[str, Sequence[tuple[int, str]]],
    names: Sequence[str],
    counts: Counter[str],
    left_out: Counter[str],
) -> Iterator[dict[str, Any]]:
    for name, items in items_of(collection, known, names):
        for lang, item in items.items():
            if not item.question:
                left_out[item.why_not] += 1
            elif not item.bodies:
                left_out["documents that are their title alone"] += 1
            else:
                counts[lang] += 1
                yield {"id": name, "lang": lang, "query": item.question, "passage": item.bodies[0]}
