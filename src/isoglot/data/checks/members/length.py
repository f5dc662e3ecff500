"""Texts that say nothing, or more than a model reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from isoglot.data.checks.registry import CHECKS, Action, TextCheck


@CHECKS.register
class Length(TextCheck):
    """Texts without a letter or digit, and overlong ones: dropped."""

    name: ClassVar[str] = "length"
    order: ClassVar[int] = 30
    max_characters: int = Field(10_000, ge=1, description="a longer text takes its row with it")

    def look(self, text: str) -> Iterator[tuple[str, Action, str]]:
        if len(text) > self.max_characters:
            yield f"{len(text):,} characters", "dropped", text
        elif not any(map(str.isalnum, text)):
            yield f"no letter or digit in '{text[:20]}'", "dropped", text
