"""Lexicons."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.lexicons import dictd_files
from tests.malformed.kinds.shared import Kind, accepted, filled_lines, jsonl, pair_rows, register, run, same


def check_lexicon(name: str) -> Callable[[Path, Path], None]:
    """`data switch` counts every translation of a lexicon and every row of the pairs."""

    def check(folder: Path, spoiled: Path) -> None:
        pairs, out = str(folder / "p.jsonl"), folder.parent / "switched.jsonl"
        command = ["data", "switch", pairs, "--lexicon", str(folder / name), "--output", str(out)]
        answer = run(*command, "--overwrite", "--switch-probability", "1", "--json")
        if not accepted(answer, spoiled):
            return
        report = json.loads(answer.out)
        same("rows", filled_lines(out), report["rows_written"])
        same("rows", report["rows_written"], report["rows_read"] + sum(report["rows_added"].values()))
        (lexicon,) = report["lexicons"]
        if not name.endswith(".index"):  # there an entry has several
            same("translations", filled_lines(folder / name), lexicon["translations"] + lexicon["left_out"])

    return check


@register
def _lexicons() -> list[Kind]:
    pairs = {"p.jsonl": jsonl([row for row in pair_rows() if row["lang"] == "en"])}
    files = {
        "en-de.tsv": b"question\tFrage\nanswer\tAntwort\nother\tandere\n",
        "en-de.txt": b"question Frage\nanswer\tAntwort\nother andere\n",
        "en-de.titles.tsv": b"Question_(text)\tFrage (Text)\nAnswer\tAntwort\n",
    }
    kinds = [
        Kind(f"lexicon {name.partition('.')[2]}", {**pairs, name: data}, check_lexicon(name), (name,))
        for name, data in files.items()
    ]
    dictd = dictd_files()
    check = check_lexicon("freedict-eng-deu.index")
    return [*kinds, Kind("lexicon dictd", {**pairs, **dictd}, check, tuple(dictd))]
