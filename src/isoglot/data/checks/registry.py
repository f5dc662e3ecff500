"""What may be wrong with parallel pairs: the registry of checks. Each is its own settings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from isoglot.records import PairRow
from isoglot.registry import Registry
from isoglot.settings import Member

Action = Literal["repaired", "dropped", "reported"]
ACTIONS: tuple[Action, ...] = ("repaired", "dropped", "reported")
SIDES = ("query", "passage", "negatives")


@dataclass(frozen=True)
class Finding:
    """Something that a check found.

    Attributes:
        row: its number among the rows that the check looked at.
        side: of `SIDES`, or "" where it is of the whole row.
        what: in a few words.
        action: what cleaning does about it.
        repaired: the row as it becomes; None where it is not repaired.
    """

    row: int
    side: str
    what: str
    action: Action
    repaired: PairRow | None = None


class Check(Member, ABC):
    """Something that may be wrong with pairs; its fields are its settings, whose names no other check has.

    Attributes:
        order: checks run in this order, each on what the ones before it left.
        needs: packages of the extra `clean` that it cannot do without.
    """

    order: ClassVar[int]
    needs: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def find(self, rows: Sequence[PairRow]) -> Iterator[Finding]:
        """What is wrong with some rows. Of the repairs of one row the last one has them all."""

    def unchecked(self, rows: Sequence[PairRow]) -> str:
        """What it cannot judge among these rows, to be said; "" where there is nothing."""
        return ""


class TextCheck(Check):
    """A check that looks at one text at a time."""

    @abstractmethod
    def look(self, text: str) -> Iterator[tuple[str, Action, str]]:
        """(what is wrong, action, the text from here on) of a text; a text that ends empty takes its row with it."""

    def find(self, rows: Sequence[PairRow]) -> Iterator[Finding]:
        for number, row in enumerate(rows):
            for side in SIDES:
                texts = row.negatives if side == "negatives" else (getattr(row, side),)
                for place, text in enumerate(texts):
                    for what, action, better in self.look(text):
                        if side == "negatives" and action == "dropped":
                            action = "reported"  # the pair itself is in order
                        if action == "repaired" and not better.strip():
                            yield Finding(number, side, f"{what}, and nothing else", "dropped")
                        elif action == "repaired":
                            row = _with(row, side, place, better.strip())
                            yield Finding(number, side, what, action, row)
                        else:
                            yield Finding(number, side, what, action)


def _with(row: PairRow, side: str, place: int, text: str) -> PairRow:
    if side == "query":
        return replace(row, query=text)
    if side == "passage":
        return replace(row, passage=text)
    return replace(row, negatives=(*row.negatives[:place], text, *row.negatives[place + 1 :]))


CHECKS: Registry[type[Check]] = Registry("check", "isoglot.data.checks.members")
