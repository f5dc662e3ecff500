"""A model directory with one damaged file gives vectors, or one line that names it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from isoglot.errors import InputError
from isoglot.models.load import load_model
from isoglot.retrieval.encode import encode_texts
from tests.models.zoo import KINDS

VALUES = (None, True, -1, 0, 3.5, 1e30, 10**6, "x", "../..", [], ["a"], {})


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where a JSON value can be changed: the keys that lead there."""
    items = value.items() if isinstance(value, dict) else enumerate(value[:4]) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*above, key)
        if key != "vocab":
            yield from places(inner, (*above, key))


def damaged(path: Path, rng: random.Random) -> bytes:
    """The file's bytes cut, with one bit flipped, or with one JSON value replaced or taken away."""
    data = bytearray(path.read_bytes())
    kind = rng.choice(("cut", "flip", "json", "json", "json") if path.suffix == ".json" else ("cut", "flip"))
    if kind == "json" and (ways := list(places(value := json.loads(data)))):
        *above, last = rng.choice(ways)
        inner = value
        for key in above:
            inner = inner[key]
        inner[last] = rng.choice(VALUES)
        if rng.random() < 0.2:
            del inner[last]
        return json.dumps(value).encode()
    if kind == "cut":
        return bytes(data[: rng.randrange(len(data))])
    data[rng.randrange(min(len(data), 4000))] ^= 1 << rng.randrange(8)
    return bytes(data)


@pytest.mark.parametrize("kind", ["labse", "static", "router", "weighted-mean", "adapter-inside"])
def test_one_damaged_file(kind: str, tmp_path: Path) -> None:
    path, rng = KINDS[kind](tmp_path / kind), random.Random(kind)
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.stat().st_size)
    for _ in range(25):
        file = rng.choice(files)
        whole = file.read_bytes()
        file.write_bytes(damaged(file, rng))
        message = str(tmp_path)
        try:
            model = load_model(str(path), device="cpu")
            encode_texts(model, ["en1 en2", "de3"], "passage", progress=False)
        except InputError as error:
            message = str(error)
        file.write_bytes(whole)
        assert "\n" not in message
        assert str(tmp_path) in message or "tokenizer makes no token" in message
