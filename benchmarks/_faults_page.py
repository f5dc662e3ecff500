"""The tables of `docs/reliability.md` on kills, and on disks, clocks and signals, from `results/reliability.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_ROWS = {
    ("full", "full"): "the disk is full (tmpfs)",
    ("full", "nearly full"): "12 KB are left on it",
    ("readonly", "read-only"): "the kernel makes it read-only (ext4)",
    ("vanishing", "errors"): "every access is an error (ext4, shut down)",
    ("vanishing", "unmounted"): "it is unmounted lazily",
    ("vanishing", "moved"): "the folder gets another name",
    ("slow", "slow"): "every change takes 20 ms longer",
    ("clock", "while it runs"): "the clock is set back by a day",
    ("clock", "before the next start"): "killed, and started again a day earlier",
    ("signals", "SIGINT"): "Ctrl-C",
    ("signals", "SIGTERM"): "SIGTERM",
    ("signals", "SIGINT, SIGINT"): "Ctrl-C twice",
    ("signals", "SIGTERM, SIGINT"): "SIGTERM, then Ctrl-C",
    ("signals", "one of them, in a process of its own"): "either, while a process imports, reads, encodes",
}
_KEYS, _WRONG = ("moments", "said", "done"), ("silent", "lost", "left", "blocked")


def killed(parts: dict[str, Any]) -> str:
    """The table as Markdown, with the comment that says where its figures are."""
    cases = parts["kill"]["cases"]
    lines = [f"results/reliability.json 'kill/cases/{name}/*'" for name in cases]
    rows = [f"| {name} | {' | '.join(map(str, count.values()))} |" for name, count in cases.items()]
    head = ["| command | changes to files | moments | same bytes | blocked | lost | left |", "|---" * 7 + "|"]
    return "\n".join(["<!-- figures", *lines, "-->", "", *head, *rows])


def faults(parts: dict[str, Any]) -> str:
    """As `killed`."""
    lines = [f"results/reliability.json '{part}/ways/{way}/*'" for part, way in _ROWS]
    rows = []
    for (part, way), words in _ROWS.items():
        counts = parts[part]["ways"][way]
        cells = [words, *(str(counts[key]) for key in _KEYS), ", ".join(str(counts[key]) for key in _WRONG)]
        rows.append(f"| {' | '.join(cells)} |")
    head = ["| what happens | moments | one line | done | unclear, lost, left, blocked |", "|---" * 5 + "|"]
    about = parts["signals"]["conditions"]
    machine = f"{about['date'][:10]}, {about['machine']['processor']}, {about['machine']['cores']} cores"
    waiting = parts["signals"]["temporary_until_next_start"]
    left = f"temporary files waited for the next start in {waiting} of the signals' moments"
    told = f"({machine}, {parts['full']['commands']} commands; {left}.)"
    return "\n".join(["<!-- figures", *lines, "-->", "", *head, *rows, "", told])


if __name__ == "__main__":
    results = json.loads((Path(__file__).parents[1] / "results" / "reliability.json").read_text(encoding="utf-8"))
    print(killed(results), faults(results), sep="\n\n")
