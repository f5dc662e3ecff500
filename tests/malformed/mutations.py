"""Ways to spoil a file: bytes, encodings, values, structure, and what stands in its place on the disk.

Every function takes a random number generator, so that a seed (or hypothesis) decides what is done.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

WEIRD = (
    *(
        "NaN",
        "Infinity",
        "-Infinity",
        "1e999",
        "-1",
        "0",
        "1.5",
        "true",
        "false",
        "null",
        "",
        '""',
        "[]",
        "{}",
        '"nan"',
    ),
    *("9" * 400, "9" * 5000, "-" + "9" * 25, "[" * 100_000, '{"a":' * 20_000, '"\\ud83d"', '"\\u0000"', '" "', "'"),
    *('"\x1b[31mred"', '"\u202eevil"', "2020-99-99", "!!int abc", "&a [*a, *a]", "*b", "0x1F", "1_000", "no", "~", "|"),
    *(
        '{"a": 1, "a": 2}',
        '"en-../../x"',
        '"xq"',
        '"' + "x" * 140_000 + '"',
        "\r",
        "\r\n",
        "\n\n",
        "\t",
        ",",
        ";",
        "\u2028",
    ),
)
"""Tokens that stand for no good value, or for one of another type."""
BINARY = (".mo", ".docx", ".sqlite", ".arrow", ".safetensors")
"""Endings of files that are no text."""
TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|-?\d+(?:\.\d+)?|[A-Za-z_@]+')


def flip_bits(random: Random, data: bytes) -> bytes:
    spoiled = bytearray(data or b"\0")
    for _ in range(random.choice((1, 1, 1, 2, 8))):
        spoiled[random.randrange(len(spoiled))] ^= 1 << random.randrange(8)
    return bytes(spoiled)


def cut(random: Random, data: bytes) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def drop_slice(random: Random, data: bytes) -> bytes:
    start = random.randrange(len(data) + 1)
    return data[:start] + data[start + random.randrange(1, 40) :]


def repeat_slice(random: Random, data: bytes) -> bytes:
    start = random.randrange(len(data) + 1)
    end = start + random.randrange(1, 200)
    return data[:end] + data[start:]


def insert_bytes(random: Random, data: bytes) -> bytes:
    start = random.randrange(len(data) + 1)
    more = random.choice(
        (b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\x80", b"\xed\xa0\xbd", b"\r", b"\n", b"\x1a", b"\x1b[2J")
    )
    return data[:start] + more + data[start:]


def zero_slice(random: Random, data: bytes) -> bytes:
    start, size = random.randrange(len(data) + 1), random.randrange(1, 64)
    return data[:start] + b"\0" * len(data[start : start + size]) + data[start + size :]


def empty(random: Random, data: bytes) -> bytes:
    return b""


BYTES: tuple[Callable[[Random, bytes], bytes], ...] = (
    *(flip_bits, flip_bits, cut, drop_slice, repeat_slice, insert_bytes, zero_slice, empty),
)


def encode(random: Random, text: str) -> bytes:
    """Another encoding, or marks that text editors leave."""
    name = random.choice(("utf-16", "utf-16-le", "latin-1", "utf-8-sig", "utf-32", "cp500"))
    return text.encode(name, "replace")


def swap_token(random: Random, text: str) -> bytes:
    """A value, key or word becomes another thing."""
    places = list(TOKEN.finditer(text))
    if not places:
        return text.encode()
    place = random.choice(places)
    return (text[: place.start()] + random.choice(WEIRD) + text[place.end() :]).encode("utf-8", "surrogatepass")


def swap_lines(random: Random, text: str) -> bytes:
    """Lines twice, lost or in another order."""
    lines = text.splitlines(keepends=True) or [""]
    first, second = (random.randrange(len(lines)) for _ in range(2))
    how = random.randrange(3)
    if how == 0:
        lines.insert(first, lines[second])
    elif how == 1:
        del lines[first]
    else:
        lines[first], lines[second] = lines[second], lines[first]
    return "".join(lines).encode()


def repeat_key(random: Random, text: str) -> bytes:
    """A key of an object is there twice."""
    places = list(re.finditer(r'("(?:[^"\\]|\\.)*": )("(?:[^"\\]|\\.)*"|-?[\d.]+|null|true|false)', text))
    if not places:
        return swap_lines(random, text)
    place = random.choice(places)
    return (text[: place.start()] + f"{place.group(1)}0, " + text[place.start() :]).encode()


TEXTS: tuple[Callable[[Random, str], bytes], ...] = (encode, swap_token, swap_token, swap_token, swap_lines, repeat_key)


def spoil_json_value(random: Random, value: Any) -> Any:
    """A JSON value with one inner value replaced, at any depth."""
    places: list[tuple[Any, Any]] = []

    def walk(inner: Any) -> None:
        for key, below in list(inner.items() if isinstance(inner, dict) else enumerate(inner)):
            places.append((inner, key))
            if isinstance(below, (dict, list)) and below:
                walk(below)

    value = json.loads(json.dumps(value))
    if isinstance(value, (dict, list)):
        walk(value)
    if not places:
        return None
    inner, key = random.choice(places)
    others = (
        None,
        True,
        -1,
        0,
        1.5,
        1e300,
        10**30,
        "",
        "x",
        "\x1b[31m",
        "\u202e",
        [],
        {},
        [None],
        {"x": 1},
        float("nan"),
    )
    other = random.choice((*others, "DROP"))
    if other == "DROP":
        del inner[key]
    else:
        inner[key] = other
    return value


def spoil_json(random: Random, text: str) -> bytes:
    try:
        return json.dumps(spoil_json_value(random, json.loads(text))).encode()
    except ValueError:
        return swap_token(random, text)


def spoil_parquet(random: Random, data: bytes) -> bytes:
    """A column of another type, with holes, twice or not there."""
    table = pq.read_table(io.BytesIO(data))
    name = random.choice(table.column_names)
    place, n = table.column_names.index(name), len(table)
    columns: dict[str, Any] = {
        "int": pa.array(range(n)),
        "huge": pa.array([2**63 - 1] * n),
        "float": pa.array([float("nan"), *[0.5] * (n - 1)]),
        "infinite": pa.array([float("inf")] * n),
        "bool": pa.array([True] * n),
        "null": pa.nulls(n),
        "lists": pa.array([["a"]] * n),
        "struct": pa.array([{"a": 1}] * n),
        "binary": pa.array([b"\xff\xfe"] * n),
        "bad utf-8": pa.array([b"\xff\xfe"] * n, pa.binary()).view(pa.string()),
        "empty": pa.array([""] * n),
        "date": pa.array([0] * n, pa.date32()),
        "late date": pa.array([2**31 - 1] * n, pa.date32()),
        "late time": pa.array([2**62] * n, pa.timestamp("ms")),
        "decimal": pa.array([None] * n, pa.decimal128(30, 2)),
        "dictionary": pa.array(["a"] * n).dictionary_encode(),
        "map": pa.array([[("a", 1)]] * n, pa.map_(pa.string(), pa.int64())),
        "text with holes": pa.array([None, *["x"] * (n - 1)]),
    }
    how = random.choice((*columns, "drop", "twice", "rename"))
    if how == "drop":
        table = table.remove_column(place)
    elif how == "twice":
        table = table.append_column(name, table.column(place))
    elif how == "rename":
        table = table.rename_columns(["x" if other == name else other for other in table.column_names])
    else:
        table = table.set_column(place, name, columns[how])
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def spoil_npy(random: Random, data: bytes) -> bytes:
    """Another type, another shape, other values or another header."""
    array = np.load(io.BytesIO(data))
    if random.random() < 0.5:
        header = random.choice(
            (
                "{'descr': '|O', 'fortran_order': False, 'shape': (3, 4), }",
                "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 4), }",
                "{'descr': '<f4', 'fortran_order': False, 'shape': (-3, 4), }",
                "{'descr': '<f4', 'fortran_order': True, 'shape': (3, 4), }",
                "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3, 4), }",
                "{'descr': '<M8[s]', 'fortran_order': False, 'shape': (3, 4), }",
                "{'descr': '<f4', 'shape': (3, 4), }",
                "{'descr': '<f4', 'fortran_order': False, 'shape': (True, 4), }",
                "(" * 2000,
                "[" * 200 + "]" * 200,
                "{'descr': '<U999999999', 'fortran_order': False, 'shape': (3, 4), }",
            )
        )
        return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + array.tobytes()
    kind = random.choice(
        ("uint8", "int8", "int64", "bool", "complex64", "float16", "float64", "U3", "S3", "nan", "inf", "zero")
    )
    if kind in ("nan", "inf", "zero"):
        array[0] = {"nan": np.nan, "inf": np.inf, "zero": 0}[kind]
    else:
        array = array.astype(kind)
    array = random.choice((array, array[:-1], array[0], array[..., :0], array[None]))
    sink = io.BytesIO()
    np.save(sink, array)
    return sink.getvalue()


def spoil(random: Random, name: str, data: bytes) -> bytes:
    """The content of a file of that name, spoiled in a way that suits it."""
    name = name.lower()
    is_packed = name.endswith((".gz", ".dz"))
    if is_packed and random.random() < 0.6:
        return gzip.compress(spoil(random, name[:-3], gzip.decompress(data)), mtime=0)
    special = {".parquet": spoil_parquet, ".npy": spoil_npy}.get(Path(name).suffix)
    if special:
        return special(random, data) if random.random() < 0.5 else random.choice(BYTES)(random, data)
    if is_packed or Path(name).suffix in BINARY or not _is_text(data) or random.random() < 0.35:
        return random.choice(BYTES)(random, data)
    ways = (*TEXTS, spoil_json, spoil_json) if name.endswith(".json") else TEXTS
    return random.choice(ways)(random, data.decode())


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def spoil_on_disk(random: Random, path: Path) -> None:
    """Something else than a file in its place."""
    path.unlink()
    how = random.choice(("missing", "folder", "pipe", "loop", "device", "dangling"))
    if how == "folder":
        path.mkdir()
    elif how == "pipe":
        os.mkfifo(path)
    elif how == "loop":
        path.symlink_to(path.name)
    elif how == "device":
        path.symlink_to("/dev/zero")
    elif how == "dangling":
        path.symlink_to("nowhere")
