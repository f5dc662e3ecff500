"""What a report is made of: the study's files, its cells gathered into systems, and these into arenas."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from isoglot.errors import InputError
from isoglot.files import read_json

Json = dict[str, Any]
STRATEGIES = ("mono", "cross", "hybrid")
# characters that no XML file may hold, and halves of surrogate pairs, which UTF-8 has no bytes for
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class StudyFiles:
    """The files of a study directory as they were read, with texts that may stand in any file.

    Attributes:
        home: the directory.
        study, results, cost, audit: contents of `study.json`, `results.json`, `cost.json`, `audit.json`; {} where a file is
            not there.
        missing: names of the files that are not there.
    """

    home: Path
    study: Json
    results: Json
    cost: Json
    audit: Json
    missing: tuple[str, ...] = ()

    @property
    def cells(self) -> list[Json]:
        """All cells, in the order of the file."""
        return [cell for cell in self.results.get("cells") or [] if isinstance(cell, dict) and cell.get("id")]

    @property
    def spec(self) -> Json:
        """The specification as it was resolved."""
        return dict(self.study.get("spec") or {})


def read_study_files(home: Path) -> StudyFiles:
    """Read a study directory.

    Raises:
        InputError: no directory, neither `results.json` nor `study.json`, or a file that is not what it should be.
    """
    if not home.is_dir():
        raise InputError(f"{home}: no such directory; expected one that `isoglot study run --output` wrote")
    found: dict[str, Json] = {}
    missing = []
    for name in ("study", "results", "cost", "audit"):
        path = home / f"{name}.json"
        if not path.is_file():
            missing.append(path.name)
            found[name] = {}
            continue
        value = read_json(path)
        if not isinstance(value, dict):
            raise InputError(f"{path}: expected a JSON object, as `isoglot study run` writes it")
        found[name] = clean(value)
    if {"study.json", "results.json"} <= set(missing):
        raise InputError(f"{home}: no study.json and no results.json; expected what `isoglot study run --output` wrote")
    for name in ("study", "results"):
        if (schema := found[name].get("schema", 1)) != 1:
            raise InputError(f"{home / name}.json: schema {schema!r} is not one that this version reads (1)")
    return StudyFiles(home, found["study"], found["results"], found["cost"], found["audit"], tuple(missing))


def clean(value: Any) -> Any:
    """A JSON value whose texts hold no control characters and no halves of surrogate pairs."""
    if isinstance(value, str):
        return _FORBIDDEN.sub("\ufffd", value)
    if isinstance(value, dict):
        return {clean(key): clean(item) for key, item in value.items()}
    return [clean(item) for item in value] if isinstance(value, list) else value


def relative_link(home: Path, path: str) -> str | None:
    """An address for something inside the directory, with every sign that means something in addresses encoded; else None."""
    parts = PurePosixPath(path).parts
    if not path or path.startswith(("/", "~")) or ".." in parts or not (home / path).exists():
        return None
    return quote(path, safe="/")


@dataclass(frozen=True)
class System:
    """Cells that differ in their seed alone.

    Attributes:
        label: short, unlike those of its arena's other systems.
        cells: finished, by seed.
        traits: what tells systems apart: data, base, strategy, mono_share, tuning, amount, languages, batch_size, steps.
    """

    label: str
    cells: tuple[Json, ...]
    traits: Mapping[str, Any]

    @property
    def is_base(self) -> bool:
        return all(cell.get("kind") == "base" for cell in self.cells)

    @property
    def batches(self) -> str | None:
        """mono, cross or hybrid: hybrid with α = 1 is mono, with α = 0 cross."""
        strategy = self.traits.get("strategy")
        ends = {1.0: "mono", 0.0: "cross"}
        return ends.get(_key(self.traits.get("mono_share")), strategy) if strategy == "hybrid" else strategy

    @property
    def tuning_kind(self) -> str | None:
        return (self.cells[0].get("tuning") or {}).get("kind")

    def order(self) -> tuple[Any, ...]:
        """Base first, then by strategy, alpha, kind of tuning, rank, amount."""
        tuning = self.cells[0].get("tuning") or {}
        strategy = self.traits.get("strategy")
        place = STRATEGIES.index(strategy) if strategy in STRATEGIES else len(STRATEGIES)
        share = self.traits.get("mono_share")
        rank = tuning.get("rank") or 0
        kind = 0 if tuning.get("kind") == "lora" else 1
        amount = self.traits.get("amount")
        numbers = (_key(share), kind, _key(rank), str(self.traits.get("tuning")), -_key(amount))
        return (0 if self.is_base else 1, place, *numbers, str(self.traits))


def _key(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else -1.0


@dataclass(frozen=True)
class Arena:
    """Systems of one base, trained on the same data, measured on the same benchmark.

    Attributes:
        data: name of the training data; None where nothing but the base was measured.
        base, benchmark: names.
        systems: the untrained base first where it was measured, then the trained ones.
    """

    data: str | None
    base: str
    benchmark: str
    systems: tuple[System, ...]

    @property
    def title(self) -> str:
        return f"{self.data} → {self.benchmark}" if self.data else str(self.benchmark)

    @property
    def before(self) -> System | None:
        return next((system for system in self.systems if system.is_base), None)

    @property
    def trained(self) -> list[System]:
        return [system for system in self.systems if not system.is_base]


def finished(cell: Json) -> bool:
    """Whether a cell has ended well."""
    return cell.get("status") == "done"


def traits(cell: Json) -> Json:
    """What tells a cell from others, but for its seed."""
    tuning = cell.get("tuning") or {}
    return {
        "data": cell.get("data"),
        "base": cell.get("base"),
        "strategy": cell.get("strategy"),
        "mono_share": cell.get("mono_share") if cell.get("strategy") == "hybrid" else None,
        "tuning": tuning.get("name"),
        "amount": cell.get("amount"),
        "languages": tuple(cell.get("languages") or ()),
        "batch_size": cell.get("batch_size"),
        "steps": cell.get("steps"),
    }


def arenas(cells: Sequence[Json]) -> list[Arena]:
    """Every pair of training data and benchmark per base, in the order of the cells."""
    done = [cell for cell in cells if finished(cell)]
    trained = [cell for cell in done if cell.get("kind") != "base"]
    bases = [cell for cell in done if cell.get("kind") == "base"]
    places: dict[tuple[Any, str, str], list[Json]] = {}
    for cell in trained:
        for benchmark in cell.get("benchmarks") or {}:
            places.setdefault((cell.get("data"), str(cell.get("base")), benchmark), []).append(cell)
    for cell in bases:
        for benchmark in cell.get("benchmarks") or {}:
            here = [members for key, members in places.items() if key[1:] == (str(cell.get("base")), benchmark)]
            for members in here:
                members.append(cell)
            if not here:
                places[None, str(cell.get("base")), benchmark] = [cell]
    return [Arena(*key, tuple(systems(members))) for key, members in places.items()]


def systems(cells: Sequence[Json]) -> list[System]:
    """Cells gathered by all but their seed, with labels that tell them apart."""
    gathered: dict[str, list[Json]] = {}
    for cell in cells:
        # every base is one system, whichever data its cell was planned with
        key = f"base {cell.get('base')}" if cell.get("kind") == "base" else repr(sorted(traits(cell).items()))
        gathered.setdefault(key, []).append(cell)
    found = [(traits(members[0]), sorted(members, key=_seed)) for members in gathered.values()]
    differing = _differing([own for own, members in found if not _is_base(members)])
    made = [System(_label(own, members, differing), tuple(members), own) for own, members in found]
    return sorted(made, key=System.order)


def _differing(trained: Sequence[Json]) -> set[str]:
    """Traits that have to be named: what follows from data and base (languages, say) goes without saying."""
    found = {name for name in ("data", "base") if len({own[name] for own in trained}) > 1}
    for name in set(traits({})) - {"data", "base"}:
        values: dict[Any, set[str]] = {}
        for own in trained:
            if own[name] is not None:
                values.setdefault((own["data"], own["base"]), set()).add(repr(own[name]))
        if any(len(different) > 1 for different in values.values()):
            found.add(name)
    return found


def main_hybrids(trained: Sequence[System]) -> list[System]:
    """The hybrid systems with the paper's share of one half; all hybrid ones where there is no such."""
    hybrids = [system for system in trained if system.batches == "hybrid"]
    return [system for system in hybrids if system.traits.get("mono_share") == 0.5] or hybrids


def _seed(cell: Json) -> tuple[float, str]:
    return _key(cell.get("seed")), str(cell["id"])


def _is_base(members: Sequence[Json]) -> bool:
    return members[0].get("kind") == "base"


def _label(own: Json, members: Sequence[Json], differing: set[str]) -> str:
    """`hybrid lora`, with alpha, amount and so on where others of the arena differ in them."""
    if _is_base(members):
        return "base"
    parts = [str(own["strategy"])]
    if own["mono_share"] is not None and (own["mono_share"] != 0.5 or "mono_share" in differing):
        parts.append(f"α={own['mono_share']:g}")
    parts.append(str(own["tuning"]))
    if "amount" in differing and isinstance(own["amount"], (int, float)):
        parts.append(f"{100 * own['amount']:g}% of the data")
    if "languages" in differing:
        parts.append(f"on {' '.join(own['languages'])}")
    parts += [f"{name.replace('_', ' ')} {own[name]}" for name in ("steps", "batch_size") if name in differing]
    parts += [str(own[name]) for name in ("data", "base") if name in differing]
    return " ".join(parts)


@dataclass
class Notes:
    """What a reader has to know about parts that are missing; each is said once."""

    lines: list[str] = field(default_factory=list)

    def say(self, line: str) -> None:
        """Add a note, unless it was said."""
        if line not in self.lines:
            self.lines.append(line)
