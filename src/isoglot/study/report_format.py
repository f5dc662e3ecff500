"""Numbers as a report prints them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from isoglot.evaluation.matching import RANK_DISTANCE
from isoglot.evaluation.significance import Interval

NOTHING = "–"


def score(value: float | None, setting: str = "", *, signed: bool = False) -> str:
    """A measure with three decimal places, a rank distance with none (or one where it is small)."""
    if value is None:
        return NOTHING
    digits = 3
    if setting == RANK_DISTANCE:
        digits = 0 if abs(value) >= 100 else 1
    text = f"{value:{'+' if signed else ''}.{digits}f}"
    return minus(text)


def interval(ends: Interval | None, setting: str = "", *, signed: bool = False) -> str:
    """`[low, high]`; nothing where there is none."""
    if ends is None:
        return ""
    return f"[{score(ends[0], setting, signed=signed)}, {score(ends[1], setting, signed=signed)}]"


def minus(text: str) -> str:
    """A true minus sign, as wide as a plus."""
    return text.replace("-", "−")


def minus_signs(text: str) -> str:
    """True minus signs before the numbers of a sentence; dashes inside words stay."""
    return re.sub(r"(?<![\w-])-(?=\d)", "−", text)


def probability(p: float) -> str:
    """A p value: `< 0.001` below that."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def number(value: Any, digits: int = 0) -> str:
    """A count or amount with thousands separated; a dash for what is no number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return NOTHING
    return minus(f"{value:,.{digits}f}")


def duration(seconds: Any) -> str:
    """Seconds, minutes or hours, whichever reads best."""
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        return NOTHING
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def size(bytes_: Any) -> str:
    """Bytes in MB or GB (powers of ten)."""
    if isinstance(bytes_, bool) or not isinstance(bytes_, (int, float)):
        return NOTHING
    if bytes_ < 1e6:
        return f"{bytes_ / 1e3:.0f} kB"
    return f"{bytes_ / 1e6:,.1f} MB" if bytes_ < 1e9 else f"{bytes_ / 1e9:,.2f} GB"


def listed(words: Sequence[Any], empty: str = "none") -> str:
    """`a, b and c`."""
    names = [str(word) for word in words]
    if not names:
        return empty
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def plural(count: int, one: str, many: str = "") -> str:
    """`1 cell`, `2 cells`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def mean(values: Sequence[Any]) -> float | None:
    """The mean of those values that are numbers."""
    known = [float(v) for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)]
    return sum(known) / len(known) if known else None


def value_text(value: Any) -> str:
    """Any JSON value in one line."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return minus(f"{value:.6g}") if value >= 0 or value < 0 else str(value)
    if isinstance(value, dict):
        return "; ".join(f"{key} {value_text(item)}" for key, item in value.items()) or NOTHING
    if isinstance(value, (list, tuple)):
        return ", ".join(map(value_text, value)) or NOTHING
    return str(value)
