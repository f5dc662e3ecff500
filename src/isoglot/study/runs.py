"""The cells of a study: every combination of the grid with a readable, stable id and a digest of what decides it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from isoglot.config import build, to_dict
from isoglot.files import digest_file, digest_json
from isoglot.records import Strategy
from isoglot.study.spec import DataSpec, StudySpec, TuningSpec, benchmark_name
from isoglot.training.settings import TrainSettings

SCHEMA = 1
_NOT_DECIDING = ("output", "pairs", "threads", "log_steps", "save_steps")
"""Settings that change no weight: pairs are known by their content instead."""


@dataclass(frozen=True)
class Cell:
    """One run of a study.

    Attributes:
        id: readable, and stable when the grid grows.
        kind: `base` is measured as it is, `trained` is trained first.
        base: base model.
        benchmarks: measured in the end, as the spec names them.
        data, strategy, tuning, seed, amount: None (1.0) for base cells.
        mono_share: of hybrid cells; None for all others.
    """

    id: str
    kind: Literal["base", "trained"]
    base: str
    benchmarks: tuple[str, ...]
    data: DataSpec | None = None
    strategy: Strategy | None = None
    mono_share: float | None = None
    tuning: TuningSpec | None = None
    seed: int | None = None
    amount: float = 1.0


def cells_of(spec: StudySpec) -> list[Cell]:
    """All cells in the order in which they run: bases first, then one seed after the other."""
    bases = []
    for base in spec.base:
        measured = dict.fromkeys(name for data in spec.data for name in spec.benchmarks_of(data))
        bases.append(Cell(f"base.{slug(base)}", "base", base, tuple(measured)))
    trained = [
        _trained(spec, data, base, strategy, share, tuning, seed, amount)
        for seed in spec.seeds
        for data in spec.data
        for base in spec.base
        for amount in data.amount
        for strategy in spec.strategy
        for share in (spec.mono_share if strategy == "hybrid" else (None,))
        for tuning in spec.tuning
    ]
    return [*bases, *trained]


def _trained(
    spec: StudySpec,
    data: DataSpec,
    base: str,
    strategy: Strategy,
    share: float | None,
    tuning: TuningSpec,
    seed: int,
    amount: float,
) -> Cell:
    kind = strategy if share is None else f"{strategy}-{share:g}"
    parts = [data.name, slug(base), kind, tuning.name, f"s{seed}"]
    if amount != 1.0:
        parts.append(f"a{amount:g}")
    return Cell(".".join(parts), "trained", base, spec.benchmarks_of(data), data, strategy, share, tuning, seed, amount)


def slug(base: str) -> str:
    """A base's name for a file: `offline-multilingual-e5-small`; of a directory its last part and a digest of the path."""
    text = re.sub(r"[^A-Za-z0-9]+", "-", Path(base).name if Path(base).is_dir() else base).strip("-").lower()
    if Path(base).is_dir():
        return f"{text}-{hashlib.sha256(base.encode()).hexdigest()[:6]}"
    return text


def settings_of(spec: StudySpec, cell: Cell, learning_rate: float | None, output: str = "run") -> TrainSettings:
    """The training settings of a trained cell; `learning_rate` None is the default of its kind of tuning."""
    assert cell.data is not None
    assert cell.tuning is not None
    fixed: dict[str, Any] = {
        "pairs": list(cell.data.pairs),
        "output": output,
        "base": cell.base,
        "languages": list(cell.data.languages),
        "strategy": cell.strategy,
        "seed": cell.seed,
        "tuning": cell.tuning.kind,
    }
    if cell.mono_share is not None:
        fixed["mono_share"] = cell.mono_share
    if cell.tuning.kind == "lora":
        fixed["lora"] = asdict(cell.tuning.lora())
    if learning_rate is not None:
        fixed["learning_rate"] = learning_rate
    return build(TrainSettings, [(spec.name, spec.train_values(cell.tuning)), (cell.id, fixed)])


def base_digest(location: str) -> str:
    """SHA-256 of a base's files where they lie in a directory, else of its name on the hub."""
    home = Path(location)
    if not home.is_dir():
        return digest_json({"hub": location})
    files = sorted(path for path in home.rglob("*") if path.is_file() and not path.name.startswith("."))
    return digest_json({str(path.relative_to(home)): digest_file(path) for path in files})


def train_digest(settings: TrainSettings, table_digest: str, base: str) -> str:
    """What decides the weights of a cell; `base` is the digest of its base model."""
    values = {key: value for key, value in to_dict(settings).items() if key not in _NOT_DECIDING}
    values["learning_rate"] = settings.peak_learning_rate()
    return digest_json({"schema": SCHEMA, "settings": values, "pairs": table_digest, "base": base})


def evaluation_digests(spec: StudySpec, cell: Cell, benchmarks: Mapping[str, str]) -> dict[str, str]:
    """What decides the figures of a cell besides its weights, by name of benchmark; `benchmarks` are their digests."""
    asked = {key: value for key, value in to_dict(spec.evaluate).items() if key != "batch_size"}
    return {
        benchmark_name(name): digest_json({"schema": SCHEMA, "evaluate": asked, "benchmark": benchmarks[name]})
        for name in cell.benchmarks
    }


def cell_digest(train: str, evaluations: Mapping[str, str]) -> str:
    """Everything that decides a cell."""
    return digest_json({"train": train, "evaluations": dict(evaluations)})


def describe_cell(
    cell: Cell, settings: TrainSettings | None, digest: str, languages: tuple[str, ...], steps: int
) -> dict[str, Any]:
    """The keys of a cell's record that are known before it runs."""
    tuning = cell.tuning
    lora = tuning is not None and tuning.kind == "lora"
    return {
        "id": cell.id,
        "digest": digest,
        "kind": cell.kind,
        "data": cell.data.name if cell.data else None,
        "base": cell.base,
        "strategy": cell.strategy,
        "mono_share": cell.mono_share,
        "tuning": tuning
        and {
            "name": tuning.name,
            "kind": tuning.kind,
            "rank": tuning.rank if lora else None,
            "alpha": tuning.alpha if lora else None,
            "targets": list(tuning.targets) if lora else [],
            "layers": list(tuning.layers) if lora else [],
        },
        "seed": cell.seed,
        "amount": cell.amount,
        "languages": list(languages),
        "learning_rate": settings.peak_learning_rate() if settings else None,
        "steps": steps,
        "batch_size": settings.batch_size if settings else 0,
    }
