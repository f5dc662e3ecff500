"""What a study works on, loaded and audited before anything is trained: bases, pairs (with nested shares) and benchmarks."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from isoglot.data.benchmarks.qrels import benchmark_digest
from isoglot.data.pairs.loading import load_pairs
from isoglot.data.pairs.table import PairTable
from isoglot.data.transform.members.share import Share
from isoglot.errors import IsoglotError, say
from isoglot.evaluation.settings import EvaluateSettings
from isoglot.files import digest_json, write_json
from isoglot.records import Benchmark
from isoglot.settings import to_dict
from isoglot.study.layout import Layout, known
from isoglot.study.runs import data_with_documents
from isoglot.study.spec import DataSpec, StudySpec, benchmark_name
from isoglot.tables import exact


class LeakError(IsoglotError):
    """Training pairs and a benchmark share texts: the answer to "is this zero-shot?" is no."""


@dataclass
class Inputs:
    """Everything that the jobs of a study are made of.

    Attributes:
        spec: of the study.
        layout: of its directory.
        data_dir: see `load_benchmark`.
        bases: base -> digest.
        tables: (data name, amount) -> pairs.
        table_digests: the same -> digest of the pairs and of which of them may not share a batch.
        document_digests: the same -> digest of the pairs' documents, where these decide some run.
        benchmarks: benchmark as the spec names it -> benchmark.
        benchmark_digests: the same -> digest.
    """

    spec: StudySpec
    layout: Layout
    data_dir: Path | None
    bases: dict[str, str]
    tables: dict[tuple[str, float], PairTable] = field(default_factory=dict)
    table_digests: dict[tuple[str, float], str] = field(default_factory=dict)
    document_digests: dict[tuple[str, float], str] = field(default_factory=dict)
    benchmarks: dict[str, Benchmark] = field(default_factory=dict)
    benchmark_digests: dict[str, str] = field(default_factory=dict)

    def digests_of(self, key: tuple[str, float]) -> tuple[str, str]:
        """Digests of some pairs and of their documents ("" where these decide nothing)."""
        return self.table_digests[key], self.document_digests.get(key, "")

    def file_of(self, key: tuple[str, float]) -> Path:
        """The file of some pairs, for the processes that work on them."""
        pairs, documents = self.digests_of(key)
        return self.layout.pairs(digest_json([pairs, documents]) if documents else pairs)

    def request(
        self, data: DataSpec | None, amount: float, benchmarks: Sequence[str] = (), *, stores: bool = False
    ) -> dict[str, Any]:
        """What the process of a job is told besides its stage: its pairs, what it measures, and where things lie.

        `stores`: vectors are kept, for other jobs, or may be there already.
        """
        return {
            "table": str(self.file_of((data.name, amount)).resolve()) if data else None,
            "benchmarks": {benchmark_name(benchmark): benchmark for benchmark in benchmarks},
            "evaluate": {benchmark_name(name): to_dict(self.spec.evaluate_of(name)) for name in benchmarks},
            "store": str(self.layout.store.resolve()) if stores else None,
            "data_dir": str(self.data_dir) if self.data_dir else None,
        }


def load_inputs(spec: StudySpec, layout: Layout, data_dir: Path | None) -> Inputs:
    """Load all of it, so that whatever is wrong is found before any training.

    Raises:
        InputError: a base, source, benchmark or language that is not there, malformed files, a base in the directory of the
            study (or that in a base).
    """
    from isoglot.models.content import base_digest, check_apart

    for base in spec.base:
        check_apart(base, layout.root)
    inputs = Inputs(spec, layout, data_dir, {base: base_digest(base) for base in spec.base})
    for name in dict.fromkeys(name for data in spec.data for name in spec.benchmarks_of(data)):
        benchmark = inputs.benchmarks[name] = load_for(name, spec.evaluate_of(name), data_dir)
        inputs.benchmark_digests[name] = benchmark_digest(benchmark)
        counts = f"{benchmark.n_queries:,} queries, {benchmark.n_documents:,} passages"
        say(f"{name}: {counts}, {len(benchmark.corpus)} languages")
    documents = data_with_documents(spec)
    for data in spec.data:
        table = load_pairs(data.pairs, languages=data.languages or None, data_dir=data_dir)
        for amount in data.amount:
            share = inputs.tables[data.name, amount] = Share(amount=amount, amount_seed=data.amount_seed).apply(table)
            inputs.table_digests[data.name, amount] = digest_json([share.digest, share.index.group.tolist()])
            if data.name in documents:
                inputs.document_digests[data.name, amount] = share.document_digest or ""
            which = "" if amount == 1.0 else f" ({exact(amount)} of them)"
            say(f"{data.name}{which}: {share.index.n_pairs:,} pairs, {len(share.languages)} languages")
    return inputs


def load_for(name: str, evaluate: EvaluateSettings, data_dir: Path | None) -> Benchmark:
    """A benchmark as the spec wants it measured."""
    return replace(evaluate.load(name, data_dir), name=benchmark_name(name))


def audit_of(inputs: Inputs, allow_leaks: bool) -> dict[str, Any]:
    """What results.json says of the audit; audit.json has all of it, and is made anew only where the texts changed."""
    spec, path = inputs.spec, inputs.layout.audit
    if not spec.audit:
        return {"leaks": None, "allowed": allow_leaks, "summary": ["not audited: the spec says audit: false"]}
    largest = [(data.name, max(data.amount), spec.benchmarks_of(data)) for data in spec.data]
    texts: list[Any] = []
    for name, amount, benchmarks in largest:
        digests = filter(None, inputs.digests_of((name, amount)))
        texts.append([name, *digests, [inputs.benchmark_digests[key] for key in benchmarks]])
    audit = known(path, "leaks", "summary")
    if audit.get("inputs") != digest_json(texts):
        from isoglot.data.audit.run import run_audit

        say("audit: comparing training pairs with the benchmarks")
        datasets = [
            (name, inputs.tables[name, amount], [inputs.benchmarks[key] for key in benchmarks])
            for name, amount, benchmarks in largest
        ]
        documents = {name for name, _ in inputs.document_digests}
        audit = run_audit(datasets, documents=documents, progress=sys.stderr.isatty())
        audit = {"inputs": digest_json(texts), **audit}
        write_json(path, audit)
    leaks, summary = bool(audit["leaks"]), list(map(str, audit["summary"]))
    if leaks and not allow_leaks:
        raise LeakError(
            f"training pairs and benchmarks share texts ({'; '.join(summary)}): not zero-shot; see {path}, or go on "
            "with --allow-leaks"
        )
    return {"leaks": leaks, "allowed": leaks and allow_leaks, "summary": summary}
