"""What a study works on, loaded once before anything is trained: bases, pairs (with nested shares of them) and benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from isoglot.batching.plan import BatchPlan
from isoglot.data.benchmarks.digest import benchmark_digest
from isoglot.data.benchmarks.load import load_benchmark
from isoglot.data.pairs.table import PairTable, load_pairs
from isoglot.data.transform.members.share import Share
from isoglot.errors import InputError
from isoglot.files import atomic_path, digest_json
from isoglot.records import Benchmark
from isoglot.study.runs import Cell, base_digest, settings_of
from isoglot.study.spec import DataSpec, EvaluateSpec, StudySpec, benchmark_name

Say = Callable[[str], None]


@dataclass
class Material:
    """Everything that cells are made of.

    Attributes:
        bases: base -> digest.
        tables: (data name, amount) -> pairs.
        benchmarks: benchmark as the spec names it -> benchmark.
        benchmark_digests: the same -> digest.
        files: (data name, amount) -> Parquet file of the pairs, for the processes that train on them.
    """

    bases: dict[str, str] = field(default_factory=dict)
    tables: dict[tuple[str, float], PairTable] = field(default_factory=dict)
    benchmarks: dict[str, Benchmark] = field(default_factory=dict)
    benchmark_digests: dict[str, str] = field(default_factory=dict)
    files: dict[tuple[str, float], Path] = field(default_factory=dict)

    def table_digest(self, data: DataSpec, amount: float) -> str:
        """SHA-256 of the pairs and of which of them may not share a batch."""
        table = self.tables[data.name, amount]
        return digest_json([table.digest, table.index.group.tolist()])


def load_material(spec: StudySpec, data_dir: Path | None, say: Say) -> Material:
    """Load all of it, so that whatever is wrong is found before any training.

    Raises:
        InputError: a base, source, benchmark or language that is not there, malformed files.
    """
    from isoglot.models.load import resolve_base

    found = Material()
    for base in spec.base:
        found.bases[base] = base_digest(resolve_base(base).location)
    for name in dict.fromkeys(name for data in spec.data for name in spec.benchmarks_of(data)):
        benchmark = load_for(name, spec.evaluate, data_dir)
        found.benchmarks[name] = benchmark
        found.benchmark_digests[name] = benchmark_digest(benchmark)
        say(
            f"{name}: {benchmark.n_queries:,} queries, {benchmark.n_documents:,} passages, "
            f"{len(benchmark.corpus)} languages"
        )
    for data in spec.data:
        table = load_pairs(data.pairs, languages=data.languages or None, data_dir=data_dir)
        for amount in data.amount:
            part = Share(amount=amount, amount_seed=data.amount_seed).apply(table)
            found.tables[data.name, amount] = part
            share = "" if amount == 1.0 else f" ({amount:g} of them)"
            say(f"{data.name}{share}: {part.index.n_pairs:,} pairs, {len(part.languages)} languages")
    return found


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


def check_cells(spec: StudySpec, cells: list[Cell], material: Material) -> None:
    """InputError, with the cell's name, where a cell could not be trained as asked."""
    seen = set()
    for cell in cells:
        if cell.data is None:
            continue
        settings = settings_of(spec, cell, None)
        key = (cell.data.name, cell.amount, settings.strategy, settings.mono_share, settings.batch_size)
        try:
            settings.check()
            if key not in seen:
                plan = BatchPlan(material.tables[cell.data.name, cell.amount].index, settings.plan())
                settings.total_steps(plan.steps_per_epoch)
        except InputError as error:
            raise InputError(f"cell {cell.id}: {error}") from None
        seen.add(key)


def write_tables(home: Path, spec: StudySpec, material: Material) -> None:
    """Keep the pairs under `home/pairs`, each table once, so that cells need not read and filter the sources again."""
    import pyarrow.parquet as pq

    for data in spec.data:
        for amount in data.amount:
            path = home / "pairs" / f"{material.table_digest(data, amount)[:16]}.parquet"
            if not path.is_file():
                with atomic_path(path) as temporary:
                    pq.write_table(material.tables[data.name, amount].table, temporary, compression="zstd")
            material.files[data.name, amount] = path


def read_table(path: Path) -> PairTable:
    """A table that `write_tables` wrote: the same rows in the same order."""
    import pyarrow.parquet as pq

    return PairTable.from_arrow(pq.ParquetFile(path).read())
