"""What the audit says of one side of a benchmark: counts per language, examples, and a sentence for people."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from isoglot.data.audit.match import KINDS, Distinct, Match, Target
from isoglot.data.audit.texts import ENOUGH, size
from isoglot.data.pairs.table import PairTable
from isoglot.records import Benchmark

EXAMPLES = 10
EXAMPLE_LENGTH = 120
MOST_DOCUMENTS = 500_000
"""A larger corpus is compared by its relevant documents alone: at about 12 kB a document, most of it datasketch's index, these
fit into 8 GB of memory."""

_COLUMNS = ("texts", *KINDS, "short", "leaks")
PLURAL = {"query": "queries", "passage": "passages"}
"""The columns of pairs that are compared, and what they are called."""


@dataclass(frozen=True)
class Evaluation:
    """A benchmark prepared for comparison.

    Attributes:
        rows: per side, the compared texts: pooled number -> (language, id, text).
        targets: the same, prepared.
        relevant: pooled numbers of the relevant documents.
    """

    benchmark: Benchmark
    rows: dict[str, dict[int, tuple[str, str, str]]]
    targets: dict[str, Target]
    relevant: frozenset[int]

    @classmethod
    def of(cls, benchmark: Benchmark) -> Evaluation:
        relevant = frozenset(np.unique(benchmark.relevant).tolist())
        whole = benchmark.n_documents <= MOST_DOCUMENTS
        rows = {
            "queries": dict(enumerate(benchmark.pooled_queries())),
            "documents": {n: row for n, row in enumerate(benchmark.pooled_documents()) if whole or n in relevant},
        }
        texts = {side: Distinct.of((n, text) for n, (_, _, text) in rows[side].items()) for side in rows}
        # answers are also looked for inside longer training texts
        answers = (n for n, members in enumerate(texts["documents"].members) if not relevant.isdisjoint(members))
        targets = {"queries": Target(texts["queries"]), "documents": Target(texts["documents"], answers)}
        return cls(benchmark=benchmark, rows=rows, targets=targets, relevant=relevant)


@dataclass(frozen=True)
class SideReport:
    """What was found of one evaluation side among one training side.

    Attributes:
        matches: number of a distinct evaluation text -> its best match.
    """

    side: str
    other: str
    training: Distinct
    evaluation: Evaluation
    matches: dict[int, Match] = field(default_factory=dict)

    @property
    def target(self) -> Target:
        return self.evaluation.targets[self.other]

    @cached_property
    def leaks(self) -> set[int]:
        """Pooled numbers of the evaluation texts whose match stops a study; to be asked for when all matches are there."""
        if (self.side == "query") != (self.other == "queries"):
            return set()
        distinct = self.target.distinct
        long = [number for number in self.matches if size(distinct.texts[number]) >= ENOUGH]
        members = {member for number in long for member in distinct.members[number]}
        return members if self.other == "queries" else members & self.evaluation.relevant

    def to_dict(self, pairs: PairTable) -> dict[str, Any]:
        """JSON values: counts per language and in total, and examples."""
        distinct, rows = self.target.distinct, self.evaluation.rows[self.other]
        by_language: dict[str, dict[str, Any]] = {}
        for lang, _, _ in rows.values():
            by_language.setdefault(lang, dict.fromkeys(_COLUMNS, 0))["texts"] += 1
        for number, match in self.matches.items():
            for member in distinct.members[number]:
                entry = by_language[rows[member][0]]
                entry[match.kind] += 1
                entry["short"] += size(distinct.texts[number]) < ENOUGH
                entry["leaks"] += member in self.leaks
        total = {name: sum(entry[name] for entry in by_language.values()) for name in _COLUMNS}
        for entry in (*by_language.values(), total):
            entry["share"] = sum(entry[kind] for kind in KINDS) / max(1, entry["texts"])
        # the leaks first, then the longest texts
        numbers = sorted(
            self.matches, key=lambda n: (self.leaks.isdisjoint(distinct.members[n]), -size(distinct.texts[n]), n)
        )
        return {
            "training": self.side,
            "evaluation": self.other,
            "total": total,
            "by_language": by_language,
            "examples": [self._example(number, pairs) for number in numbers[:EXAMPLES]],
        }

    def _example(self, number: int, pairs: PairTable) -> dict[str, Any]:
        match, members = self.matches[number], self.target.distinct.members[number]
        shown = next((member for member in members if member in self.leaks), members[0])
        lang, key, text = self.evaluation.rows[self.other][shown]
        trained = pairs.table.slice(self.training.members[match.training][0], 1).to_pylist()[0]
        return {
            "kind": match.kind,
            "similarity": round(match.similarity, 3),
            "leak": shown in self.leaks,
            "evaluation": {"id": key, "lang": lang, "text": _brief(text)},
            "training": {name: trained[name] for name in ("source", "id", "lang")}
            | {"text": _brief(trained[self.side])},
        }


def _brief(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= EXAMPLE_LENGTH else line[: EXAMPLE_LENGTH - 3] + "..."


def sentence(values: dict[str, Any]) -> str:
    """One sentence on a comparison, see `run_audit`."""
    data, benchmark, evaluation, leaks = (values[key] for key in ("data", "benchmark", "evaluation", "leaks"))
    totals = [side["total"] for side in values["sides"]]
    reported = sum(sum(total[kind] for kind in KINDS) - total["leaks"] for total in totals)
    rest = f"{reported:,} further text{'s' if reported != 1 else ''} in common, reported only" if reported else ""
    against = f"{evaluation['queries']:,} questions and {evaluation['documents']:,} passages of {benchmark}"
    if not values["leak"]:
        extra = f" ({rest})" if rest else ", not even a short one"
        return f"{data} -> {benchmark}: clean: nothing of the {against} was trained on{extra}."
    share = values["affected"]
    leaked = f"{leaks['queries']:,} questions, {leaks['documents']:,} answer passages, {leaks['ids']:,} ids"
    return (
        f"{data} -> {benchmark}: LEAK: of the {against}, {leaked} occur in training: "
        f"{share['ids']:,} of {share['of']:,} questions ({share['share']:.1%}) are not zero-shot{'; ' + rest if rest else ''}."
    )


def format_audit(audit: dict[str, Any]) -> str:
    """The audit for the screen: a sentence per benchmark, the counts where anything was found, some examples."""
    from tabulate import tabulate

    blocks = []
    for comparison in audit["comparisons"]:
        blocks.append("\n".join([comparison["summary"], *(f"  note: {note}" for note in comparison["notes"])]))
        for side in comparison["sides"]:
            if not any(side["total"][kind] for kind in KINDS):
                continue
            counts = [*side["by_language"].items(), ("all", side["total"])]
            rows = [[lang, *(entry[name] for name in _COLUMNS)] for lang, entry in counts]
            lines = [f"{side['evaluation']} of {comparison['benchmark']} among training {PLURAL[side['training']]}"]
            lines += tabulate(rows, ("", *_COLUMNS), "plain", intfmt=",", disable_numparse=[0]).splitlines()
            for example in side["examples"][:3]:
                lines.append(f"{'leak' if example['leak'] else 'seen'}, {example['kind']} {example['similarity']:.2f}:")
                texts = (example["evaluation"], example["training"])
                lines += [f"  {text['lang']} {text['id']}: {text['text']}" for text in texts]
            blocks.append("\n".join(f"  {line}" for line in lines))
    return "\n\n".join(blocks)
