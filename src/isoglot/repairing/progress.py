"""What a repair says while it goes: which stage of how many, and about how long the rest will take."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from isoglot.errors import say


def in_words(seconds: float) -> str:
    """`40 s`, `6 min`, `2.5 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Progress:
    """Says the stages of a repair on stderr.

    Args:
        kinds: of all stages by name, in their order; stages of one kind take about as long.
        took: seconds of those that were done before.
        show: say anything at all.

    Attributes:
        expected: seconds of a stage by kind, as far as they are known.
    """

    def __init__(self, kinds: Mapping[str, str], took: Mapping[str, float], *, show: bool = True) -> None:
        self._kinds, self._done, self._show = dict(kinds), set(took), show
        self.expected: dict[str, float] = {kinds[name]: seconds for name, seconds in took.items() if name in kinds}

    @contextmanager
    def stage(self, name: str, words: str) -> Iterator[None]:
        """Around a stage."""
        number = list(self._kinds).index(name) + 1
        if self._show:
            say(f"[{number}/{len(self._kinds)}] {words}{self._left()}")
        began = time.monotonic()
        yield
        self._done.add(name)
        self.expected[self._kinds[name]] = time.monotonic() - began

    def _left(self) -> str:
        """How long all that is not done will take, in words; "" as long as that is not known of some of it."""
        kinds = [kind for name, kind in self._kinds.items() if name not in self._done]
        if not all(kind in self.expected for kind in kinds):
            return ""
        return f" ({in_words(sum(self.expected[kind] for kind in kinds))} left)"
