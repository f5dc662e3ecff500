"""Numbers and words as a report prints them: the filters of its templates."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from isoglot.evaluation.drawing import signed
from isoglot.evaluation.matching import RANK_DISTANCE
from isoglot.evaluation.significance import ALPHA, Interval
from isoglot.study.analysis.contrasts import Contrast, What
from isoglot.study.analysis.systems import is_number

NOTHING = "–"
_UNITS = {
    "seconds": ((120, 1, 0, "s"), (7200, 60, 1, "min"), (float("inf"), 3600, 1, "h")),
    "bytes": ((1e6, 1e3, 0, "kB"), (1e9, 1e6, 1, "MB"), (float("inf"), 1e9, 2, "GB")),
}
"""By the last word of a cost's key: below the first number divide by the second, show so many digits and the unit."""


def score(value: float | None, what: What, sign: str = "") -> str:
    """A measure with three decimal places, a rank distance with none (or one where it is small)."""
    if value is None:
        return NOTHING
    digits = 3 if what[0] != RANK_DISTANCE else 0 if abs(value) >= 100 else 1
    return signed(value, digits, sign)


def interval(ends: Interval, what: What, sign: str = "") -> str:
    """`[low, high]`."""
    return f"[{score(ends[0], what, sign)}, {score(ends[1], what, sign)}]"


def heading(what: What) -> str:
    """How a column is called."""
    setting, measure = what
    return "rank distance" if setting == RANK_DISTANCE else f"{'mAP' if measure == 'AP' else measure} {setting}"


def is_significant(contrast: Contrast) -> bool:
    """Whether a difference is significant at 5%, after Holm's correction where it was corrected."""
    return (contrast.p if contrast.p_holm is None else contrast.p_holm) < ALPHA


def minus_signs(text: str) -> str:
    """True minus signs before the numbers of a sentence; dashes inside words stay."""
    return re.sub(r"(?<![\w-])-(?=\d)", "−", text)


def probability(p: float | None) -> str:
    """A p value: `< 0.001` below that; a dash where there is no test."""
    return NOTHING if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def number(value: Any, digits: int = 0) -> str:
    """A count or amount with thousands separated; a dash for what is no number."""
    return signed(value, digits, "") if is_number(value) else NOTHING


def cost(value: float | None, key: str) -> str:
    """A cost in a unit that suits it and the last word of its key in `cost.json`."""
    steps = _UNITS.get(key.rsplit("_", 1)[-1])
    if value is None or steps is None:
        return number(value, int(key == "pairs_per_second"))
    _, divisor, digits, unit = next(step for step in steps if value < step[0])
    return f"{value / divisor:,.{digits}f} {unit}"


def share(value: float | None, whole: float | None) -> str:
    """A part of something in percent."""
    return f"{100 * value / whole:.3g}%" if value is not None and whole else NOTHING


def listed(words: Iterable[Any]) -> str:
    """`a, b and c`; a dash for nothing."""
    *names, last = [str(word) for word in words] or [NOTHING]
    return f"{', '.join(names)} and {last}" if names else last


def plural(count: int, noun: str) -> str:
    """`1 cell`, `2 cells`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def value_text(value: Any) -> str:
    """Any JSON value in one line."""
    if value is None or value in ({}, [], ()):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}".replace("-", "−")
    if isinstance(value, dict):
        return "; ".join(f"{key} {value_text(inner)}" for key, inner in value.items())
    return ", ".join(map(value_text, value)) if isinstance(value, (list, tuple)) else str(value)


def distinct(records: Iterable[Any], path: str) -> list[Any]:
    """The different values at a dotted path of JSON records, sorted; those that lack it are left out."""
    values = []
    for value in records:
        for key in path.split("."):
            value = (value or {}).get(key)
        values += [value] if value is not None and value not in values else []
    return sorted(values)
