"""The directory of a study: whether it can be used, its lock, study.json, and the audit that comes before any training."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from isoglot.errors import InputError, IsoglotError
from isoglot.evaluation.digests import versions
from isoglot.files import digest_json, package_versions, read_json, write_json
from isoglot.study.export import EXPORT, unpack_export
from isoglot.study.inputs import Material
from isoglot.study.runs import SCHEMA
from isoglot.study.spec import StudySpec

_PATIENCE = 5.0  # seconds: processes of a study that was killed need a moment to end


class LeakError(IsoglotError):
    """Training pairs and a benchmark share texts: the answer to "is this zero-shot?" is no."""


def check_home(home: Path) -> None:
    if home.exists() and not home.is_dir():
        raise InputError(f"{home}: is a file; give a directory")
    if home.is_dir() and not (home / "study.json").is_file():
        others = [path.name for path in home.iterdir() if not path.name.startswith(".")]
        if others:
            raise InputError(f"{home}: not empty and not a study; give another --output")


@contextmanager
def lock(home: Path) -> Iterator[int]:
    """The study's lock, which the processes of its cells inherit; without `fcntl` (Windows) there is none."""
    with (home / ".lock").open("a") as handle:
        os.set_inheritable(handle.fileno(), True)
        try:
            import fcntl
        except ImportError:
            yield handle.fileno()
            return
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise InputError(f"{home}: another process works on this study; wait for it or stop it") from None
                time.sleep(0.1)
        yield handle.fileno()


def write_study(home: Path, spec: StudySpec) -> None:
    """study.json; `created` stays that of the first time. An export becomes a study again."""
    unpack_export(home)
    path = home / "study.json"
    before = read_json(path) if path.is_file() else {}
    (home / EXPORT).unlink(missing_ok=True)
    write_json(
        path,
        {
            "schema": SCHEMA,
            "name": spec.name,
            "question": spec.question,
            "spec": spec.to_json(),
            "spec_digest": spec.digest,
            "versions": {**versions(), **package_versions(("accelerate", "datasets", "peft", "pyarrow", "tokenizers"))},
            "created": before.get("created") or datetime.now(timezone.utc).isoformat(timespec="seconds"),
        },
    )


def audit_of(spec: StudySpec, home: Path, material: Material, allow_leaks: bool) -> dict[str, Any]:
    """What results.json says of the audit; audit.json has all of it, and is made anew only where the texts changed."""
    if not spec.audit:
        return {"leaks": None, "allowed": allow_leaks, "summary": ["not audited: the spec says audit: false"]}
    datasets = [
        (
            data.name,
            material.tables[data.name, max(data.amount)],
            [material.benchmarks[name] for name in spec.benchmarks_of(data)],
        )
        for data in spec.data
    ]
    inputs = digest_json(
        [
            [
                data.name,
                material.table_digest(data, max(data.amount)),
                [material.benchmark_digests[name] for name in spec.benchmarks_of(data)],
            ]
            for data in spec.data
        ]
    )
    path = home / "audit.json"
    found: dict[str, Any] = read_json(path) if path.is_file() else {}
    if found.get("inputs") != inputs:
        from isoglot.data.audit.run import run_audit

        say("audit: comparing training pairs with the benchmarks")
        found = {"inputs": inputs, **run_audit(datasets, progress=sys.stderr.isatty())}
        write_json(path, found)
    if found["leaks"] and not allow_leaks:
        summary = "; ".join(map(str, found["summary"]))
        raise LeakError(
            f"training pairs and benchmarks share texts ({summary}): not zero-shot; see {path}, or go on with --allow-leaks"
        )
    return {
        "leaks": bool(found["leaks"]),
        "allowed": bool(found["leaks"]) and allow_leaks,
        "summary": list(found["summary"]),
    }


def say(text: str) -> None:
    """A line on stderr."""
    print(text, file=sys.stderr, flush=True)
