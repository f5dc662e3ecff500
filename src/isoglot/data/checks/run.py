"""Checks one after the other, each on what the ones before it left; what they found, and the pairs that stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from isoglot.data.checks.registry import ACTIONS, Action, Check
from isoglot.data.pairs.check import ReadPairs
from isoglot.errors import InputError
from isoglot.records import PairRow


@dataclass(frozen=True)
class Found:
    """A finding and the row it is of, by its number among those that were read."""

    check: str
    row: int
    side: str
    what: str
    action: Action


@dataclass(frozen=True)
class Checked:
    """What checks found in some rows.

    Attributes:
        read: the rows and where they stand.
        checks: those that ran, in their order.
        left_out: checks that did not run, and why.
        unchecked: what checks could not judge.
        found: in the order of the checks.
        rows: that stay, repaired.
    """

    read: ReadPairs
    checks: Sequence[Check]
    left_out: dict[str, str]
    unchecked: dict[str, str]
    found: list[Found]
    rows: list[PairRow]

    def counts(self, check: str) -> dict[Action, dict[str, int]]:
        """Rows by action and language that a check found something in."""
        rows: dict[Action, set[int]] = {action: set() for action in ACTIONS}
        for found in self.found:
            if found.check == check:
                rows[found.action].add(found.row)
        return {
            action: dict(sorted(Counter(self.read.rows[number].lang for number in numbers).items()))
            for action, numbers in rows.items()
        }

    def dropped(self) -> dict[str, int]:
        """Rows by the reason why they do not stay; with `rows` they are all that were read."""
        reasons = {"malformed": len(self.read.problems)}
        return reasons | {check.name: sum(self.counts(check.name)["dropped"].values()) for check in self.checks}

    def to_dict(self) -> dict[str, Any]:
        """JSON values of everything."""
        counts = {check.name: self.counts(check.name) for check in self.checks}
        return {
            "checks": {
                check.name: {
                    **{action: sum(langs.values()) for action, langs in counts[check.name].items()},
                    "by_language": counts[check.name],
                    "settings": {key: value for key, value in check.to_flat().items() if key != "name"},
                }
                for check in self.checks
            },
            "checks_left_out": self.left_out,
            "unchecked": self.unchecked,
            "findings": [self._describe(found) for found in self.found],
            "rows_kept": len(self.rows),
            "rows_dropped": self.dropped(),
        }

    def _describe(self, found: Found) -> dict[str, Any]:
        row, (path, line) = self.read.rows[found.row], self.read.places[found.row]
        place = {"path": path, "line": line, "source": row.source, "id": row.id, "lang": row.lang}
        return {"check": found.check, "action": found.action, **place, "side": found.side, "what": found.what}

    def example(self, found: Found) -> str:
        """A finding with its file and line."""
        path, line = self.read.places[found.row]
        side = f" {found.side}" if found.side else ""
        return f"{path}:{line}: {self.read.rows[found.row].lang}{side}: {found.what}"


def run_checks(read: ReadPairs, checks: Iterable[Check], *, all_needed: bool = False) -> Checked:
    """Run checks, in their order.

    Args:
        all_needed: a check whose packages are missing is an InputError; otherwise it is left out.
    """
    ordered = sorted(checks, key=lambda check: check.order)
    left_out = {check.name: words for check in ordered if (words := _lacks(check))}
    if left_out and all_needed:
        raise InputError(f"{'; '.join(left_out.values())}; or give --skip {' '.join(left_out)}")
    running = [check for check in ordered if check.name not in left_out]
    numbers, rows = list(range(len(read.rows))), list(read.rows)
    found: list[Found] = []
    unchecked: dict[str, str] = {}
    for check in running:
        dropped: set[int] = set()
        repaired: dict[int, PairRow] = {}
        for finding in check.find(rows):
            found.append(Found(check.name, numbers[finding.row], finding.side, finding.what, finding.action))
            if finding.action == "dropped":
                dropped.add(finding.row)
            elif finding.repaired is not None:
                repaired[finding.row] = finding.repaired
        if words := check.unchecked(rows):
            unchecked[check.name] = words
        kept = [place for place in range(len(rows)) if place not in dropped]
        numbers, rows = [numbers[place] for place in kept], [repaired.get(place, rows[place]) for place in kept]
    return Checked(read, running, left_out, unchecked, found, rows)


def _lacks(check: Check) -> str:
    missing = [name for name in check.needs if find_spec(name) is None]
    return f"{check.name} needs {' and '.join(missing)}: pip install 'isoglot[clean]'" if missing else ""


def format_checked(checked: Checked, written: str = "") -> str:
    """What was found, as a table and an example of each kind.

    Args:
        written: where the pairs that stay are; "": nowhere.
    """
    from tabulate import tabulate

    rows, examples = [], []
    first: dict[tuple[str, Action], Found] = {}
    for found in checked.found:
        first.setdefault((found.check, found.action), found)
    for check in checked.checks:
        counts = checked.counts(check.name)
        total: Counter[str] = sum((Counter(langs) for langs in counts.values()), Counter())
        rows.append([check.name, *(sum(counts[action].values()) for action in ACTIONS), _most(total)])
        shown = [(action, example) for action in ACTIONS if (example := first.get((check.name, action)))]
        examples += [f"{check.name}, {action}: {checked.example(example)}" for action, example in shown]
    head = ["check", *(action if written else _WOULD[action] for action in ACTIONS), "languages"]
    dropped = {reason: count for reason, count in checked.dropped().items() if count}
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in dropped.items()) or "none"
    end = f"{checked.read.rows_read:,} rows = {len(checked.rows):,} that {'stay' if written else 'would stay'}"
    lines = [f"{end} + {sum(dropped.values()):,} dropped ({reasons})", *([f"wrote {written}"] if written else [])]
    notes = [f"left out: {words}" for words in checked.left_out.values()]
    notes += [f"{name}: {words}" for name, words in checked.unchecked.items()]
    parts = [tabulate(rows, head, tablefmt="plain"), "\n".join(examples), "\n".join(notes), "\n".join(lines)]
    return "\n\n".join(filter(None, parts))


_WOULD: dict[Action, str] = {"repaired": "to repair", "dropped": "to drop", "reported": "reported"}


def _most(counts: Counter[str]) -> str:
    """The languages with most rows."""
    shown = [f"{lang} {count:,}" for lang, count in counts.most_common(5)]
    return ", ".join([*shown, *(["..."] if len(counts) > 5 else [])])
