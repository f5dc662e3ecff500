"""What the audit says of one side of a benchmark: counts per language, examples, and a sentence for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from isoglot.data.audit.match import KINDS, Distinct, Match, Target
from isoglot.data.audit.texts import ENOUGH, size
from isoglot.data.pairs.table import PairTable
from isoglot.records import Benchmark

EXAMPLES = 10
EXAMPLE_LENGTH = 120
MOST_DOCUMENTS = 1_000_000
"""A larger corpus is compared by its relevant documents alone."""

TrainingSide = Literal["query", "passage"]
EvaluationSide = Literal["queries", "documents"]
TRAINING_SIDES: tuple[TrainingSide, ...] = ("query", "passage")
EVALUATION_SIDES: tuple[EvaluationSide, ...] = ("queries", "documents")


@dataclass(frozen=True)
class Evaluation:
    """A benchmark prepared for comparison: its texts by pooled numbers."""

    benchmark: Benchmark
    targets: dict[EvaluationSide, Target]
    keys: dict[EvaluationSide, dict[int, tuple[str, str, str]]]
    relevant: frozenset[int]
    left_out: int

    @classmethod
    def of(cls, benchmark: Benchmark) -> Evaluation:
        relevant = frozenset(np.unique(benchmark.relevant).tolist())
        whole = benchmark.n_documents <= MOST_DOCUMENTS
        documents = {n: row for n, row in enumerate(benchmark.pooled_documents()) if whole or n in relevant}
        keys: dict[EvaluationSide, dict[int, tuple[str, str, str]]] = {
            "queries": dict(enumerate(benchmark.pooled_queries())),
            "documents": documents,
        }
        distinct = {side: Distinct.of((n, text) for n, (_, _, text) in rows.items()) for side, rows in keys.items()}
        asked = [n for n, members in enumerate(distinct["documents"].members) if not relevant.isdisjoint(members)]
        targets: dict[EvaluationSide, Target] = {
            "queries": Target(distinct["queries"]),
            "documents": Target(distinct["documents"], asked),
        }
        return cls(benchmark, targets, keys, relevant, benchmark.n_documents - len(documents))


def side_report(
    side: TrainingSide,
    other: EvaluationSide,
    pairs: PairTable,
    training: Distinct,
    evaluation: Evaluation,
    matches: dict[int, Match],
    leaks: set[int],
) -> dict[str, Any]:
    target, keys = evaluation.targets[other], evaluation.keys[other]
    by_language: dict[str, dict[str, Any]] = {}
    for lang, _, _ in keys.values():
        entry = by_language.setdefault(lang, {"texts": 0, **dict.fromkeys(KINDS, 0), "short": 0, "leaks": 0})
        entry["texts"] += 1
    for number, match in matches.items():
        short = size(target.distinct.texts[number]) < ENOUGH
        for member in target.distinct.members[number]:
            entry = by_language[keys[member][0]]
            entry[match.kind] += 1
            entry["short"] += short
            entry["leaks"] += member in leaks
    names = ("texts", *KINDS, "short", "leaks")
    total = {name: sum(entry[name] for entry in by_language.values()) for name in names}
    for entry in (*by_language.values(), total):
        entry["share"] = sum(entry[kind] for kind in KINDS) / entry["texts"] if entry["texts"] else 0.0
    return {
        "training": side,
        "evaluation": other,
        "total": total,
        "by_language": by_language,
        "examples": _examples(side, pairs, training, target, keys, matches, leaks),
    }


def _examples(
    side: TrainingSide,
    pairs: PairTable,
    training: Distinct,
    target: Target,
    keys: dict[int, tuple[str, str, str]],
    matches: dict[int, Match],
    leaks: set[int],
) -> list[dict[str, Any]]:
    """The leaks first, then the longest texts."""

    def order(number: int) -> tuple[bool, int, int]:
        members, text = target.distinct.members[number], target.distinct.texts[number]
        return leaks.isdisjoint(members), -size(text), number

    examples = []
    for number in sorted(matches, key=order)[:EXAMPLES]:
        match, members = matches[number], target.distinct.members[number]
        shown = next((member for member in members if member in leaks), members[0])
        lang, key, text = keys[shown]
        row = training.members[match.training][0]
        trained = pairs.table.slice(row, 1).to_pylist()[0]
        examples.append(
            {
                "kind": match.kind,
                "similarity": round(match.similarity, 3),
                "leak": shown in leaks,
                "evaluation": {"id": key, "lang": lang, "text": _brief(text)},
                "training": {
                    **{name: trained[name] for name in ("source", "id", "lang")},
                    "text": _brief(trained[side]),
                },
            }
        )
    return examples


def _brief(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= EXAMPLE_LENGTH else line[: EXAMPLE_LENGTH - 3] + "..."


def sentence(values: dict[str, Any]) -> str:
    data, benchmark, evaluation, leaks = (values[key] for key in ("data", "benchmark", "evaluation", "leaks"))
    totals = [side["total"] for side in values["sides"]]
    reported = sum(sum(total[kind] for kind in KINDS) - total["leaks"] for total in totals)
    rest = f"{reported:,} further text{'s' if reported != 1 else ''} in common, reported only" if reported else ""
    against = f"{evaluation['queries']:,} questions and {evaluation['documents']:,} passages of {benchmark}"
    if not values["leak"]:
        extra = f" ({rest})" if rest else ", not even a short one"
        return f"{data} -> {benchmark}: clean: nothing of the {against} was trained on{extra}."
    share = values["affected"]
    found = [f"{leaks['queries']:,} questions", f"{leaks['documents']:,} answer passages", f"{leaks['ids']:,} ids"]
    return (
        f"{data} -> {benchmark}: LEAK: of the {against}, {', '.join(found)} occur in training: "
        f"{share['ids']:,} of {share['of']:,} questions ({share['share']:.1%}) are not zero-shot{'; ' + rest if rest else ''}."
    )


_COLUMNS = ("texts", *KINDS, "short", "leaks")


def format_audit(audit: dict[str, Any]) -> str:
    """The audit for the screen: a sentence per benchmark, the counts where anything was found, some examples."""
    lines: list[str] = []
    for item in audit["comparisons"]:
        lines += [item["summary"], *(f"  note: {note}" for note in item["notes"])]
        for side in item["sides"]:
            if not any(side["total"][kind] for kind in KINDS):
                continue
            lines += ["", f"  {side['evaluation']} of {item['benchmark']} among training {_PLURAL[side['training']]}"]
            lines.append("  " + f"{'':<6}" + "".join(f"{name:>11}" for name in _COLUMNS))
            for lang, entry in [*side["by_language"].items(), ("all", side["total"])]:
                lines.append("  " + f"{lang:<6}" + "".join(f"{entry[name]:>11,}" for name in _COLUMNS))
            for example in side["examples"][:3]:
                asked, trained = example["evaluation"], example["training"]
                lines.append(
                    f"  {'leak' if example['leak'] else 'seen'}, {example['kind']} {example['similarity']:.2f}:"
                )
                lines += [f"    {one['lang']} {one['id']}: {one['text']}" for one in (asked, trained)]
        lines.append("")
    return "\n".join(lines).rstrip()


_PLURAL = {"query": "queries", "passage": "passages"}
