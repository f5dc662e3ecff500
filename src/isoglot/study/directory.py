"""The directory of a study: whether it can be used, its lock, study.json, and the audit that comes before any training."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any

from filelock import FileLock, Timeout

from isoglot.errors import InputError, IsoglotError
from isoglot.evaluation.results import versions
from isoglot.files import digest_json, package_versions, read_json, write_json, write_text
from isoglot.study.export import unpack_export
from isoglot.study.inputs import Inputs
from isoglot.study.layout import SCHEMA, Layout
from isoglot.study.spec import StudySpec


class LeakError(IsoglotError):
    """Training pairs and a benchmark share texts: the answer to "is this zero-shot?" is no."""


def check_directory(layout: Layout) -> None:
    """InputError where something else is there."""
    directory = layout.root
    if directory.exists() and not directory.is_dir():
        raise InputError(f"{directory}: is a file; give a directory")
    is_foreign = directory.is_dir() and not layout.study.is_file()
    if is_foreign and any(not path.name.startswith(".") for path in directory.iterdir()):
        raise InputError(f"{directory}: not empty and not a study; give another --output")


@contextmanager
def lock(layout: Layout) -> Iterator[None]:
    """The study's lock; it dies with the process. InputError names the process that holds it."""
    try:
        with FileLock(layout.lock, timeout=0):
            write_text(layout.holder, f"{os.getpid()}\n")
            yield
    except Timeout:
        holder = layout.holder.read_text().strip() if layout.holder.is_file() else "unknown"
        raise InputError(
            f"{layout.root}: another process ({holder}) works on this study; wait for it or stop it"
        ) from None


def write_study(layout: Layout, spec: StudySpec) -> None:
    """study.json; `created` stays that of the first time. An export is unpacked first."""
    unpack_export(layout.root)
    layout.export.unlink(missing_ok=True)
    before = read_json(layout.study) if layout.study.is_file() else {}
    write_json(
        layout.study,
        {
            "schema": SCHEMA,
            "name": spec.name,
            "question": spec.question,
            "spec": spec.to_flat(),
            "spec_digest": spec.digest,
            "versions": {**versions(), **package_versions(("accelerate", "datasets", "peft", "pyarrow", "tokenizers"))},
            "created": before.get("created") or datetime.now(timezone.utc).isoformat(timespec="seconds"),
        },
    )


def audit_of(spec: StudySpec, layout: Layout, inputs: Inputs, allow_leaks: bool) -> dict[str, Any]:
    """What results.json says of the audit; audit.json has all of it, and is made anew only where the texts changed."""
    if not spec.audit:
        return {"leaks": None, "allowed": allow_leaks, "summary": ["not audited: the spec says audit: false"]}
    largest = [(data, max(data.amount), spec.benchmarks_of(data)) for data in spec.data]
    digest = digest_json(
        [
            [data.name, inputs.table_digest(data, amount), [inputs.benchmark_digests[name] for name in names]]
            for data, amount, names in largest
        ]
    )
    audit: dict[str, Any] = read_json(layout.audit) if layout.audit.is_file() else {}
    if audit.get("inputs") != digest:
        from isoglot.data.audit.run import run_audit

        say("audit: comparing training pairs with the benchmarks")
        datasets = [
            (data.name, inputs.tables[data.name, amount], [inputs.benchmarks[name] for name in names])
            for data, amount, names in largest
        ]
        audit = {"inputs": digest, **run_audit(datasets, progress=sys.stderr.isatty())}
        write_json(layout.audit, audit)
    if audit["leaks"] and not allow_leaks:
        summary = "; ".join(map(str, audit["summary"]))
        raise LeakError(
            f"training pairs and benchmarks share texts ({summary}): not zero-shot; see {layout.audit}, or go on with "
            "--allow-leaks"
        )
    leaks = bool(audit["leaks"])
    return {"leaks": leaks, "allowed": leaks and allow_leaks, "summary": list(audit["summary"])}


def say(text: str) -> None:
    """A line on stderr."""
    print(text, file=sys.stderr, flush=True)
