"""What lies at a path, and which path was meant: for messages, by the names of files alone. Nothing is opened."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

MODEL, RUN, BENCHMARK, RESULT = "a model", "a run of isoglot train", "a benchmark", "a result of isoglot evaluate"
INDEX, STUDY, PACKED = "an index of isoglot index", "a study", "packed pairs"
BEIR = "a folder in BEIR's layout"
_BY_FILES = (
    (INDEX, ("documents.sqlite",)),
    (PACKED, ("pairs.json", "texts.arrow")),
    (STUDY, ("study.json",)),
    (RUN, ("run.json", "log.jsonl")),
    (RUN, ("run.json", "model")),
    (MODEL, ("modules.json",)),
    (MODEL, ("adapter_config.json",)),
    (MODEL, ("config.json",)),
    (BEIR, ("corpus.jsonl", "queries.jsonl")),
    (BEIR, ("corpus.jsonl.gz", "queries.jsonl.gz")),
    (BENCHMARK, ("queries", "corpus", "qrels.tsv")),
    (BENCHMARK, ("queries", "corpus", "qrels")),
    (RESULT, ("summary.json", "per_query.parquet")),
)
_LIKE = 0.7  # how much of two names has to agree
_MOST = 10_000  # names of a directory that are looked at


def at_home(path: str | Path) -> Path:
    """A path with the home that `~` stands for; as it is where nobody lives there (`Path.expanduser` raises)."""
    try:
        return Path(os.path.expanduser(path))
    except ValueError:  # NUL in a name
        return Path(path)


def what_is(path: str | Path) -> str:
    """What a directory of ours holds, in words; "" where that is not known."""
    folder = at_home(path)
    if not os.path.isdir(folder):  # `Path.is_dir` raises where a name is longer than names can be
        return ""
    return next((kind for kind, names in _BY_FILES if all((folder / name).exists() for name in names)), "")


def is_model(path: str | Path) -> bool:
    """Whether a directory holds a model, or a run that made one."""
    return what_is(path) in (MODEL, RUN)


def nearest(path: str | Path) -> Path | None:
    """The path that is there and is written most like one that is not; None where none is near.

    Each part that is missing is replaced by the nearest name in its directory; names of one ending are compared without it.
    """
    parts = Path(path).parts
    found = Path(parts[0]) if parts and Path(path).is_absolute() else Path()
    for part in parts[1:] if Path(path).is_absolute() else parts:
        if os.path.lexists(found / part):
            found /= part
            continue
        try:
            with os.scandir(found) as entries:
                names = [entry.name for entry, _ in zip(entries, range(_MOST))]
        except OSError:
            return None
        likeness, name = max(((_likeness(part, name), name) for name in names), default=(0.0, ""))
        if likeness < _LIKE:
            return None
        found /= name
    return found if parts else None


def did_you_mean(path: str | Path) -> str:
    """` (did you mean 'runs/repaired'?)`, or "" where nothing is near."""
    near = nearest(path)
    return f" (did you mean '{near}'?)" if near else ""


def it_is(path: str | Path) -> str:
    """`; it is a benchmark`, or "" where that is not known."""
    kind = what_is(path)
    return f"; it is {kind}" if kind else ""


def instead(path: str | Path) -> str:
    """What to say of a path that does not hold what is wanted: what it holds, or which path was meant."""
    return it_is(path) if os.path.lexists(path) else did_you_mean(path)


def _likeness(first: str, second: str) -> float:
    ending = os.path.splitext(first)[1]
    if ending and second.endswith(ending):
        first, second = first.removesuffix(ending), second.removesuffix(ending)
    matcher = difflib.SequenceMatcher(None, first.lower(), second.lower())
    return matcher.ratio() if matcher.real_quick_ratio() >= _LIKE else 0.0
