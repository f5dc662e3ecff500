"""Documents as rows of a Milvus collection, and filters as its expressions.

Beside the metadata, as JSON that people and other programs read, a row has `tags`: one hash per key and value. Filters ask for
tags alone. So a value is what Python takes it for (1 is 1.0 is true, "1" is not), any key can be asked for, nothing has to be
escaped, and Milvus Lite, which parses JSON row by row in Python (1.3 s for 20,000 rows), answers a hundred times faster.
`bucket` is the same for a sixteenth of all rows, by a hash of the id, so that a search can be cut into several.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from isoglot.errors import InputError
from isoglot.retrieval.index_input import Addition, Condition
from isoglot.retrieval.search import LANGUAGE, Value

ID_BYTES = 1024
"""Longest id. Servers reckon with this length when they decide how many rows a segment takes."""
LANGUAGE_BYTES = 64
METADATA_BYTES = 65_536
TAGS = 4096
BUCKETS = 16
_PLAIN = re.compile(f"[A-Za-z0-9-]{{1,{LANGUAGE_BYTES - 8}}}")
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def rows_of(fresh: Addition, *, is_lite: bool) -> list[dict[str, Any]]:
    """One mapping of fields per document.

    Raises:
        InputError: an id or the metadata of a document is longer than Milvus takes.
    """
    rows = []
    for key, vector, about in zip(fresh.ids, fresh.vectors, fresh.metadata):
        size, stored = len(key.encode()), len(json.dumps(about, ensure_ascii=False).encode())
        if size > ID_BYTES:
            raise InputError(f"id '{key[:40]}...' has {size} bytes; Milvus takes {ID_BYTES}")
        if stored > METADATA_BYTES or len(about) > TAGS:
            raise InputError(
                f"metadata of '{key}': {len(about)} keys, {stored} bytes as JSON; Milvus takes {TAGS} and {METADATA_BYTES}"
            )
        tags = [tag(name, value) for name, value in about.items()]
        rows.append(
            {
                "id": key,
                "lang": plain_language(about) or "",
                "tags": f" {' '.join(tags)} " if is_lite else tags,
                "bucket": hashlib.blake2b(key.encode(), digest_size=1).digest()[0] % BUCKETS,
                "metadata": about,
                "vector": vector,
            }
        )
    return rows


def plain_language(about: Mapping[str, Value]) -> str | None:
    """A document's language where it is a code of letters, digits and hyphens."""
    language = about.get(LANGUAGE)
    return language if isinstance(language, str) and _PLAIN.fullmatch(language) else None


def partition_of(language: str | None) -> str:
    """The partition of a plain language; others share Milvus's own."""
    return "_default" if language is None else f"lang_{language.replace('-', '_')}"


def expression(conditions: Iterable[Condition], *, is_lite: bool) -> str:
    """A filter that what fulfils all conditions passes, "" where there are none."""
    parts = []
    for one in conditions:
        tags = dict.fromkeys(tag(one.key, value) for value in one.allowed)
        if is_lite:
            parts.append("(" + " or ".join(f'tags like "% {own} %"' for own in tags) + ")")
        else:
            parts.append(f"array_contains_any(tags, {json.dumps(list(tags))})")
    return " and ".join(parts)


def bucket_expressions(filter_: str, several: int) -> list[str]:
    """Filters that each take a part of what one takes, `several` buckets of it, and together all of it."""
    groups = (list(range(start, min(start + several, BUCKETS))) for start in range(0, BUCKETS, several))
    return [f"{filter_} and bucket in {own}" if filter_ else f"bucket in {own}" for own in groups]


def id_expression(ids: Sequence[str]) -> str:
    """A filter that the documents with these ids pass."""
    return "id in [" + ", ".join(f'"{key.translate(_ESCAPES)}"' for key in ids) + "]"


def tag(key: str, value: Value) -> str:
    """16 hex digits for a key and a value; equal values have the same."""
    if isinstance(value, str):
        told = f"s{value}"
    else:
        told = f"n{int(value)}" if isinstance(value, int) or value.is_integer() else f"n{value!r}"
    text = f"{len(key)} {key} {told}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
