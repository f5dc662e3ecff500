"""Memory and time of `isoglot data pack` over millions of synthetic rows; killed in the middle and started again.

    python benchmarks/pack_memory.py                       (5 million rows in 5 languages: 12 GB of disk, some 20 minutes)
    python benchmarks/pack_memory.py --pairs 20000         (a trial)

Rows are written to one JSONL file as they are made: shared passages and queries, missing languages, passage ids, negatives.
Then `isoglot data pack` runs three times in a process of its own: to its end; killed (SIGKILL) once it has read half of the
file; and started again after that. Every 10 ms /proc says how much memory it holds (RSS, with the pages of files it has
mapped, and anonymous memory alone) and how far it has read in the file (/proc/PID/fdinfo): the first place that the second
start reads at shows what it did not read again. Both results must be the same bytes. The figures are printed and written to
results/pack_memory.json.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from _machine import conditions, write
from _memory import gigabytes

from isoglot.files import digest_file

LIMIT_GB = 2.0
LANGUAGES = ("ar", "de", "en", "hi", "zh")
_WORDS = [
    f"{a}{b}{c}" for a in ("ka", "lo", "mi", "nu", "re", "so") for b in ("ban", "den", "fin", "gol") for c in "aeiou"
]


def rows(pairs: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Rows of `pairs` pairs, each in its five languages one after the other (one in twenty lacks a language)."""
    chance = random.Random(seed)
    for number in range(pairs):
        lacking = chance.choice(LANGUAGES) if chance.random() < 0.05 else ""
        # one passage in ten answers a question of another pair, one question in fifty is asked twice
        passage = number - number % 7 if chance.random() < 0.1 else number
        query = number - number % 5 if chance.random() < 0.02 else number
        words = " ".join(chance.choices(_WORDS, k=chance.randint(20, 60)))
        for lang in LANGUAGES:
            if lang != lacking:
                row = {"id": f"pair-{number}", "lang": lang, "query": f"{lang} what {query} {words[:40]}?"}
                row |= {"passage": f"{lang} {passage} {words if passage == number else ''}", "source": "made"}
                if number % 4 == 0:
                    row["passage_id"] = f"p{passage}"
                if number % 10 == 0:
                    row["negatives"] = [f"{lang} not {number}"]
                yield row


def watched(command: list[str], file: Path, until: int | None = None) -> dict[str, Any]:
    """Run a command and look at its memory and at its place in `file`; kill it once that is behind `until` bytes."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak, anonymous, first, last, killed = 0, 0, None, 0, False
    while process.poll() is None:
        try:
            status = dict(
                line.split(":", 1)
                for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
                if ":" in line
            )
            peak = max(peak, _kilobytes(status, "VmHWM"))
            anonymous = max(anonymous, _kilobytes(status, "RssAnon"))
            place = _place(process.pid, file)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if place is not None:
            first, last = place if first is None else first, place
            if until is not None and last >= until:
                process.kill()
                killed = True
        time.sleep(0.01)
    if not killed and process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with exit code {process.returncode}")
    return {
        "seconds": round(time.perf_counter() - began, 1),
        "peak_rss_gb": gigabytes(peak * 1024),
        "peak_anonymous_gb": gigabytes(anonymous * 1024),
        "first_place_read": first,
        "last_place_read": last,
        "killed": killed,
    }


def _kilobytes(status: dict[str, str], name: str) -> int:
    return int(status[name].split()[0]) if name in status else 0


def _place(process: int, file: Path) -> int | None:
    """Where a process stands in a file that it has opened; None where it has not, or stands at its beginning."""
    for entry in os.scandir(f"/proc/{process}/fd"):
        if os.path.realpath(entry.path) == str(file):
            position = int(Path(f"/proc/{process}/fdinfo/{entry.name}").read_text().split()[1])
            return position or None
    return None


def measure(home: Path, options: argparse.Namespace) -> dict[str, Any]:
    file, began = (home / "pairs.jsonl").resolve(), time.perf_counter()
    count = 0
    with file.open("w", encoding="utf-8") as sink:
        for row in rows(options.pairs):
            sink.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    size = file.stat().st_size
    print(f"{count:,} rows, {gigabytes(size)} GB, {time.perf_counter() - began:.0f} s", file=sys.stderr)
    found: dict[str, Any] = {
        "rows": count,
        "file_gb": gigabytes(size),
        "whole": watched(_pack(file, home / "whole"), file),
    }
    digests = _digests(home / "whole")
    found["packed_gb"] = gigabytes(sum(path.stat().st_size for path in (home / "whole").iterdir()))
    shutil.rmtree(home / "whole")
    if not options.whole_only:
        found["killed"] = watched(_pack(file, home / "again"), file, size // 2)
        found["second"] = second = watched(_pack(file, home / "again"), file)
        second["read_again_bytes"] = max(0, found["killed"]["last_place_read"] - (second["first_place_read"] or 0))
        second["share_read_again"] = round(second["read_again_bytes"] / found["killed"]["last_place_read"], 4)
        found["same_bytes"] = _digests(home / "again") == digests
        found["left"] = sorted(path.name for path in home.iterdir() if path.name not in ("again", file.name))
    return found


def _pack(file: Path, output: Path) -> list[str]:
    return [sys.executable, "-m", "isoglot", "data", "pack", str(file), "--output", str(output)]


def _digests(folder: Path) -> dict[str, str]:
    return {path.name: digest_file(path) for path in sorted(folder.iterdir())}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=1_010_102, help="each in five languages, one in twenty in four")
    parser.add_argument("--folder", type=Path, help="where the work files go (default: a temporary folder)")
    parser.add_argument("--whole-only", action="store_true", help="do not kill and start again")
    parser.add_argument("--output", type=Path, default=Path("results/pack_memory.json"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pack-memory-", dir=options.folder) as home:
        found = measure(Path(home), options)
    peak = max(found[name]["peak_rss_gb"] for name in ("whole", "killed", "second") if name in found)
    good = peak < LIMIT_GB and found.get("same_bytes", True) and not found.get("left")
    write(options.output, {"limit_gb": LIMIT_GB, "peak_rss_gb": peak, "passed": good, **found, **conditions("pyarrow")})
    print(json.dumps(found, indent=2))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
