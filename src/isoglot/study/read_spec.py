"""From a YAML file to the spec of a study, checked. Unknown keys and wrong types are errors that name file and key."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from isoglot.batching.plan import STRATEGIES
from isoglot.config import build, read_words, read_yaml
from isoglot.errors import InputError, unknown
from isoglot.evaluation.cells import parse_settings
from isoglot.evaluation.measures import parse_measures
from isoglot.records import Strategy
from isoglot.study.spec import KINDS, DataSpec, EvaluateSpec, SelectionSpec, StudySpec, TuningSpec, benchmark_name
from isoglot.training.settings import TrainSettings, Tuning

T = TypeVar("T")
_NAME_RULE = "letters, digits, '-' and '_'"
_ELSEWHERE = {
    "pairs": "data[].pairs",
    "languages": "data[].languages",
    "output": "--output",
    "base": "base",
    "strategy": "strategy",
    "mono_share": "mono_share",
    "seed": "seeds",
    "tuning": "tuning",
    "lora": "tuning",
    "learning_rate": "learning_rates",
    "threads": "--workers",
    "validation": "train.validation_share",
}
"""Settings of `isoglot train` that the grid decides, and the key of a spec that does."""


def load_spec(path: Path, words: Sequence[str] = ()) -> StudySpec:
    """Read a spec.

    Args:
        path: a YAML file.
        words: `key=value` changes, dotted for inner keys (`train.steps=300`, `data.0.amount=0.5`).

    Raises:
        InputError: names file, key and what would be right.
    """
    values = read_yaml(path)
    for key, value in read_words(words).items():
        _set(values, key, value)
    return parse_spec(values, f"{path} with --set" if words else str(path))


def parse_spec(values: Mapping[str, Any], where: str) -> StudySpec:
    """A spec of plain values; `where` opens the messages. InputError names the key."""
    known = [part.name for part in dataclasses.fields(StudySpec)]
    for key in values:
        if key not in known:
            raise InputError(f"{where}: {unknown('key', str(key), known)}")
    plain = {key: value for key, value in values.items() if key not in _OWN}
    made = {key: reader(values[key], where) for key, reader in _OWN.items() if key in values}
    for key in ("name", "question", "base", "data"):
        if key not in values:
            raise InputError(f"{where}: '{key}' is missing")
    if "per_tuning" in (train := values.get("train") or {}):
        made["per_tuning"] = _per_tuning(train["per_tuning"], where)
    top = build(_Plain, [(where, plain)])
    spec = StudySpec(**{**{part.name: getattr(top, part.name) for part in dataclasses.fields(_Plain)}, **made})
    _check(spec, where)
    return spec


@dataclass(frozen=True)
class _Plain:
    """The keys of a spec that `isoglot.settings.build` can read by itself."""

    name: str
    question: str
    base: tuple[str, ...]
    strategy: tuple[Strategy, ...] = STRATEGIES
    mono_share: tuple[float, ...] = (0.5,)
    seeds: tuple[int, ...] = (0,)
    benchmarks: tuple[str, ...] = ()
    selection: SelectionSpec = field(default_factory=SelectionSpec)
    evaluate: EvaluateSpec = field(default_factory=EvaluateSpec)
    audit: bool = True
    keep_models: bool = False


def _set(values: dict[str, Any], key: str, value: Any) -> None:
    """Put `value` at a dotted key, numbers being places of a list."""
    *path, last = key.split(".")
    place: Any = values
    for number, part in enumerate(path):
        inner = _step(place, part, key)
        if not isinstance(inner, (dict, list)):
            if inner is not None:
                raise InputError(f"--set {key}: '{'.'.join(path[: number + 1])}' has no parts")
            inner = place[part] = {}
        place = inner
    if isinstance(place, list):
        _step(place, last, key)
        place[int(last)] = value
    else:
        place[last] = value


def _step(place: Any, part: str, key: str) -> Any:
    if isinstance(place, list):
        if not part.isdecimal() or int(part) >= len(place):
            raise InputError(
                f"--set {key}: '{part}' is no place of a list of {len(place)}; expected 0 to {len(place) - 1}"
            )
        return place[int(part)]
    return place.get(part)


def _items(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"{where}: expected a mapping, got {value!r}")
    return {str(key): item for key, item in value.items()}


def _part(cls: type[T], value: Any, where: str) -> T:
    """One mapping of a list as a dataclass."""
    fields = _mapping(value, where)
    required = [
        part.name
        for part in dataclasses.fields(cls)  # type: ignore[arg-type]
        if part.default is dataclasses.MISSING and part.default_factory is dataclasses.MISSING
    ]
    for name in required:
        if name not in fields:
            raise InputError(f"{where}: '{name}' is missing")
    return build(cls, [(where, fields)])


def _tunings(value: Any, where: str) -> tuple[TuningSpec, ...]:
    made = []
    for number, item in enumerate(_items(value)):
        place = f"{where}: tuning[{number}]"
        if isinstance(item, str):
            if item not in KINDS:
                raise InputError(f"{place}: {unknown('tuning', item, KINDS)}; or a mapping with a name")
            made.append(TuningSpec(item, kind=_kind(item)))
            continue
        tuning = _part(TuningSpec, item, place)
        if tuning.kind == "full" and tuning != TuningSpec(tuning.name, "full"):
            extra = ", ".join(sorted(set(item) - {"name", "kind"}))
            raise InputError(f"{place}: {extra} belong to kind 'lora', not to 'full'")
        made.append(tuning)
    return tuple(made)


def _kind(name: str) -> Tuning:
    return "full" if name == "full" else "lora"


def _data(value: Any, where: str) -> tuple[DataSpec, ...]:
    return tuple(_part(DataSpec, item, f"{where}: data[{number}]") for number, item in enumerate(_items(value)))


def _train_part(value: Any, where: str) -> dict[str, Any]:
    """Settings of `isoglot train` by name, checked and as plain values."""
    values = dict(_mapping(value or {}, where))
    for key in values:
        if (name := key.replace("-", "_").split(".")[0]) in _ELSEWHERE:
            raise InputError(f"{where}.{key}: is decided by '{_ELSEWHERE[name]}'")
    settings = build(TrainSettings, [("", {"pairs": ["-"], "output": "-"}), (where, values)])
    settings.check()
    return {key.replace("-", "_"): getattr(settings, key.replace("-", "_")) for key in values}


def _train(value: Any, where: str) -> dict[str, Any]:
    given = dict(_mapping(value or {}, f"{where}: train"))
    given.pop("per_tuning", None)
    return _train_part(given, f"{where}: train")


def _per_tuning(value: Any, where: str) -> dict[str, dict[str, Any]]:
    place = f"{where}: per_tuning"
    return {name: _train_part(part, f"{place}.{name}") for name, part in _mapping(value or {}, place).items()}


def _rates(value: Any, where: str) -> dict[str, tuple[float, ...]]:
    place = f"{where}: learning_rates"
    return {
        name: tuple(_number(item, f"{place}.{name}") for item in _items(rates))
        for name, rates in _mapping(value or {}, place).items()
    }


def _number(value: Any, where: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InputError(f"{where}: expected a number, got {value!r}") from None
    if not 0 < number < float("inf"):
        raise InputError(f"{where}: must be above 0, got {value}")
    return number


_OWN: Mapping[str, Any] = {
    "tuning": _tunings,
    "data": _data,
    "train": _train,
    "per_tuning": _per_tuning,
    "learning_rates": _rates,
}


def _check(spec: StudySpec, where: str) -> None:
    """InputError for what no study can have."""
    for key in ("base", "strategy", "mono_share", "tuning", "data", "seeds"):
        if not getattr(spec, key):
            raise InputError(f"{where}: '{key}' is empty; expected at least one")
    _names((part.name for part in spec.data), f"{where}: data")
    _names((part.name for part in spec.tuning), f"{where}: tuning")
    for key in ("base", "strategy", "mono_share", "seeds"):
        _unique([str(item) for item in getattr(spec, key)], f"{where}: {key}")
    for share in (*spec.mono_share, spec.selection.mono_share):
        if not 0.0 <= share <= 1.0:
            raise InputError(f"{where}: mono_share must lie between 0 and 1, got {share}")
    if min(spec.seeds) < 0:
        raise InputError(f"{where}: seeds must not be negative, got {min(spec.seeds)}")
    for part in spec.data:
        _check_data(spec, part, f"{where}: data '{part.name}'")
    known = [*KINDS, *(part.name for part in spec.tuning)]
    for key in ("per_tuning", "learning_rates"):
        for name in getattr(spec, key):
            if name not in known:
                raise InputError(f"{where}: {key}: {unknown('tuning', name, known)}")
    for tuning in spec.tuning:
        if not tuning.rank > 0 or not tuning.alpha > 0:
            raise InputError(f"{where}: tuning '{tuning.name}': rank and alpha must be above 0")
    asked = spec.selection
    if (
        not 0.0 < asked.validation_share < 1.0
        or (1 if asked.steps is None else asked.steps) < 1
        or asked.validation_steps < 0
    ):
        raise InputError(
            f"{where}: selection: expected steps of at least 1, a validation_share between 0 and 1, and validation_steps of at "
            "least 0"
        )
    parse_measures(spec.evaluate.measures)
    parse_settings(spec.evaluate.settings)


def _check_data(spec: StudySpec, data: DataSpec, where: str) -> None:
    if not data.pairs:
        raise InputError(f"{where}: 'pairs' is empty; expected a source")
    if not data.amount or not all(0.0 < share <= 1.0 for share in data.amount):
        raise InputError(f"{where}: amount must lie above 0 and up to 1, got {list(data.amount)}")
    _unique([str(share) for share in data.amount], f"{where}: amount")
    if not spec.benchmarks_of(data):
        raise InputError(f"{where}: no benchmark; give 'benchmarks' here or for the whole study")
    _unique([benchmark_name(name) for name in spec.benchmarks_of(data)], f"{where}: benchmarks")


def _names(names: Iterable[str], where: str) -> None:
    given = list(names)
    for name in given:
        if not name or not all(sign.isalnum() or sign in "-_" for sign in name):
            raise InputError(f"{where}: name '{name}': expected {_NAME_RULE}")
    _unique(given, where)


def _unique(values: Sequence[str], where: str) -> None:
    for value in values:
        if values.count(value) > 1:
            raise InputError(f"{where}: '{value}' is there twice")
