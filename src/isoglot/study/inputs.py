"""What a study works on, loaded once before anything is trained: bases, pairs (with nested shares of them) and benchmarks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from isoglot.batching.plan import BatchPlan
from isoglot.data.benchmarks.load import load_benchmark
from isoglot.data.benchmarks.qrels import benchmark_digest
from isoglot.data.pairs.loading import load_pairs
from isoglot.data.pairs.table import PairTable
from isoglot.data.transform.members.share import Share
from isoglot.errors import at
from isoglot.files import digest_json
from isoglot.records import Benchmark
from isoglot.settings import to_dict
from isoglot.study.runs import Run, base_digest, settings_of
from isoglot.study.spec import DataSpec, EvaluateSpec, StudySpec, benchmark_name


@dataclass
class Inputs:
    """Everything that runs are made of.

    Attributes:
        bases: base -> digest.
        tables: (data name, amount) -> pairs.
        benchmarks: benchmark as the spec names it -> benchmark.
        benchmark_digests: the same -> digest.
    """

    bases: dict[str, str] = field(default_factory=dict)
    tables: dict[tuple[str, float], PairTable] = field(default_factory=dict)
    benchmarks: dict[str, Benchmark] = field(default_factory=dict)
    benchmark_digests: dict[str, str] = field(default_factory=dict)

    def table_digest(self, data: DataSpec, amount: float) -> str:
        """SHA-256 of the pairs and of which of them may not share a batch."""
        table = self.tables[data.name, amount]
        return digest_json([table.digest, table.index.group.tolist()])


def load_inputs(spec: StudySpec, data_dir: Path | None, say: Callable[[str], None]) -> Inputs:
    """Load all of it, so that whatever is wrong is found before any training.

    Raises:
        InputError: a base, source, benchmark or language that is not there, malformed files.
    """
    from isoglot.models.load import resolve_base

    inputs = Inputs()
    for base in spec.base:
        inputs.bases[base] = base_digest(resolve_base(base).location)
    for name in dict.fromkeys(name for data in spec.data for name in spec.benchmarks_of(data)):
        benchmark = load_for(name, spec.evaluate, data_dir)
        inputs.benchmarks[name] = benchmark
        inputs.benchmark_digests[name] = benchmark_digest(benchmark)
        say(
            f"{name}: {benchmark.n_queries:,} queries, {benchmark.n_documents:,} passages, "
            f"{len(benchmark.corpus)} languages"
        )
    for data in spec.data:
        table = load_pairs(data.pairs, languages=data.languages or None, data_dir=data_dir)
        for amount in data.amount:
            share = inputs.tables[data.name, amount] = Share(amount=amount, amount_seed=data.amount_seed).apply(table)
            which = "" if amount == 1.0 else f" ({amount:g} of them)"
            say(f"{data.name}{which}: {share.index.n_pairs:,} pairs, {len(share.languages)} languages")
    return inputs


def load_for(name: str, evaluate: EvaluateSpec, data_dir: Path | None) -> Benchmark:
    """A benchmark as the spec wants it measured."""
    benchmark = load_benchmark(
        name,
        languages=evaluate.languages or None,
        context=evaluate.context,
        data_dir=data_dir,
        corpus_sample=evaluate.corpus_sample,
        sample_seed=evaluate.sample_seed,
    )
    return replace(benchmark, name=benchmark_name(name))


def check_runs(spec: StudySpec, runs: Sequence[Run], inputs: Inputs) -> None:
    """InputError, with the id of the run, where one could not be trained as asked."""
    seen = set()
    for run in runs:
        with at(f"cell {run.id}"):
            settings = settings_of(spec, run, {})
            if settings is None or run.data is None:
                continue
            plan = digest_json({**to_dict(settings.plan), "seed": 0})
            if (run.data.name, run.amount, plan) not in seen:
                table = inputs.tables[run.data.name, run.amount]
                settings.total_steps(BatchPlan(table.index, settings.plan).steps_per_epoch)
            seen.add((run.data.name, run.amount, plan))
