"""The journal of an unfinished pack: which parts are on the disk, and what they were made of (see `isoglot.data.pairs.parts`).

Its first line is the job, every further one a part, the last one the digests once everything was read. Each has its own digest.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from glob import glob
from pathlib import Path
from typing import Any

from xxhash import xxh3_128

from isoglot.data.pairs.loading import Reading
from isoglot.data.pairs.packed import TEXTS
from isoglot.data.pairs.source import Place
from isoglot.data.readers import Mark
from isoglot.disk import sync
from isoglot.errors import say
from isoglot.files import digest_json, package_versions
from isoglot.places import at_home

TABLE, SCRATCH, JOURNAL = "table", "scratch", "scratch/journal.jsonl"
"""Inside the folder of an unfinished pack: what becomes the packed pairs, what is kept per row meanwhile, the journal."""
HASHES = ("pair_high", "pair_low", "query", "passage", "passage_id")
_FORMAT = 1
Written = tuple[str, str, set[str]]
"""Digests of the rows and of their documents, and the sources with a row whose query is not its passage."""


@dataclass(frozen=True)
class Part:
    """A line of the journal.

    Attributes:
        rows, bytes: rows and bytes of texts.arrow with this part.
        xxh3_128: of the bytes that the part added to texts.arrow and to each array of hashes.
        reading: fields of the `Reading` behind it.
    """

    rows: int
    bytes: int
    xxh3_128: str
    reading: dict[str, Any]


def is_begun(folder: Path) -> bool:
    """Whether any part of an unfinished pack is on the disk."""
    journal = folder / JOURNAL
    return journal.is_file() and journal.read_bytes().count(b"\n") > 1


def job_of(specs: Sequence[str], languages: Sequence[str] | None, data_dir: Path | None) -> dict[str, Any]:
    """What decides the rows and their bytes: a pack goes on only where all of it is as it was."""
    files = sorted({path for spec in specs for path in _local_files(spec)})
    stats = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    given = {"specs": list(specs), "languages": list(languages or ()), "data_dir": str(data_dir or "")}
    versions = package_versions(["isoglot", "pyarrow", "babel"])
    job = {"format": _FORMAT, **given, "files": stats, "versions": versions}
    return dict(json.loads(json.dumps(job)))  # tuples become lists, as they come back


def _local_files(spec: str) -> Iterator[Path]:
    """The file that a source is, its files by language, or all of its folder: `FILE`, `faq_{lang}.csv`, `name:FOLDER?options`."""
    for text in (spec, spec.partition(":")[2].partition("?")[0]):
        path = at_home(text) if text else None
        if path is not None and os.path.isdir(path):
            yield from (inside for inside in path.rglob("*") if inside.is_file())
        elif path is not None and os.path.isfile(path):
            yield path
        elif "{lang}" in text:
            yield from (Path(found) for found in glob(text.replace("{lang}", "*")) if os.path.isfile(found))


def read_journal(folder: Path, job: dict[str, Any]) -> tuple[list[Part], Written | None]:
    """(parts, what `write_rows` returned where everything was read) of an earlier start; nothing where it was another job."""
    journal = folder / JOURNAL
    if not journal.is_file():
        return [], None
    parts: list[Part] = []
    try:
        # behind the last line break is what was being written when the process died
        first, *lines = map(_content, journal.read_bytes().split(b"\n")[:-1])
        if first != job:
            say(f"{folder}: was begun with other pairs or options, or files have changed since; packing anew")
            return [], None
        for line in lines:
            if "finished" in line:
                rows, documents, asking, size = line["finished"]
                return parts, (rows, documents, set(asking)) if (
                    folder / TABLE / TEXTS
                ).stat().st_size == size else None
            parts.append(Part(**line))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        say(f"{journal}: damaged; packing anew")
        return [], None
    return parts, None


def whole_parts(folder: Path, parts: Sequence[Part]) -> int:
    """How many of the first parts have their bytes on the disk."""
    rows = at = 0
    with ExitStack() as stack:
        try:
            texts, *hashes = [
                stack.enter_context(open(path, "rb"))
                for path in (folder / TABLE / TEXTS, *(folder / SCRATCH / name for name in HASHES))
            ]
            for number, part in enumerate(parts):
                digest = xxh3_128(texts.read(part.bytes - at))
                for file in hashes:
                    digest.update(file.read(8 * (part.rows - rows)))
                if digest.hexdigest() != part.xxh3_128:
                    say(f"{folder}: damaged behind row {rows:,}; what follows is read again")
                    return number
                rows, at = part.rows, part.bytes
        except OSError:
            return 0
    return len(parts)


def begin(folder: Path, job: dict[str, Any]) -> None:
    """An empty folder, with a journal of no part."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in (TABLE, SCRATCH):
        (folder / name).mkdir(parents=True)
    (folder / JOURNAL).write_bytes(journal_line(job))


def journal_line(content: dict[str, Any]) -> bytes:
    """A line of the journal: JSON with a digest of it."""
    return json.dumps({**content, "digest": digest_json(content)}).encode() + b"\n"


def _content(line: bytes) -> dict[str, Any]:
    """What `journal_line` wrote; one of several errors for anything else."""
    content: dict[str, Any] = json.loads(line)
    if content.pop("digest") != digest_json(content):
        raise ValueError("damaged")
    return content


def finish(folder: Path, digest: str, documents: str, asking: set[str]) -> Written:
    """Note that everything was read, once that is on the disk: from then on it is not looked at again."""
    texts = folder / TABLE / TEXTS
    for path in (texts, *(folder / SCRATCH / name for name in HASHES)):
        sync(path)
    with open(folder / JOURNAL, "ab") as journal:
        journal.write(journal_line({"finished": [digest, documents, sorted(asking), texts.stat().st_size]}))
    return digest, documents, asking


def reading_fields(reading: Reading) -> dict[str, Any]:
    return {"spec": reading.spec, "place": asdict(reading.place), "present": sorted(reading.present)}


def reading_of(fields: dict[str, Any]) -> Reading:
    place = dict(fields["place"])
    mark = Mark(**place.pop("mark"))
    return Reading(fields["spec"], Place(**place, mark=mark), set(fields["present"]))
