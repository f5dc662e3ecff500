"""What is translated at once of a text: a line. Programs that work line by line never see a line break."""

from __future__ import annotations

import re
from collections.abc import Callable

from isoglot.data.transform.translators import Failure, Outcome

# everything that str.splitlines takes for the end of a line, with the white space around it
_BREAK = re.compile(r"(\s*[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]\s*)")


def segments(text: str) -> list[str]:
    """The lines of a text without white space around them; none of them is empty."""
    return [line for line in _split(text)[::2] if line]


def rebuilt(text: str, translation: Callable[[str], Outcome]) -> Outcome:
    """A text with every line translated and its breaks as they were; the first failure where a line has one."""
    pieces = _split(text)
    for place in range(0, len(pieces), 2):
        if pieces[place]:
            outcome = translation(pieces[place])
            if isinstance(outcome, Failure):
                return outcome
            pieces[place] = outcome
    return "".join(pieces).strip()


def _split(text: str) -> list[str]:
    """Lines and, between them, what separates them."""
    return _BREAK.split(text.strip())
