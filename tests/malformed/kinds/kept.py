"""What commands keep for another start: unfinished work, caches, stores, checkpoints. Damage is noticed, never read."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

import numpy as np

from isoglot.cli.main import main
from isoglot.data.pairs import parts
from isoglot.errors import InputError
from tests.malformed.kinds.models import model_files
from tests.malformed.kinds.shared import (
    Kind,
    Wrong,
    accepted,
    jsonl,
    pair_rows,
    refused,
    register,
    run,
    same,
    words_of,
    write,
)

Files = dict[str, bytes]
PAIRS = {"p.jsonl": jsonl(pair_rows())}
_TIME = 1_700_000_000
"""When the pairs were written: unfinished work goes on with the very files that it was begun with."""


class Cut(BaseException):
    """In the place of SIGKILL, which leaves what is on the disk as it is."""


@contextlib.contextmanager
def inside(folder: Path, **patched: Any) -> Iterator[None]:
    """Work in a folder, with a cache of its own there and pairs of a known time; pairs are packed in parts of two rows."""
    before = Path.cwd()
    if (folder / "p.jsonl").is_file():
        os.utime(folder / "p.jsonl", (_TIME, _TIME))
    os.chdir(folder)
    try:
        with patch.dict(os.environ, ISOGLOT_CACHE="cache"), patch.object(parts, "_BATCH_ROWS", 2):
            yield
    finally:
        os.chdir(before)


def left(files: Files, work: Callable[[], Any], cut: str = "", after: int = 0) -> Files:
    """All files after some work in a folder with `files`; with `cut`: up to a call of that function after so many others."""
    calls = iter(range(100))

    def stop(*args: Any, **given: Any) -> Any:
        if next(calls) == after:
            raise Cut
        return original(*args, **given)

    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name, "case")
        folder.mkdir()
        write(folder, files)
        stack.enter_context(inside(folder))
        if cut:
            module, _, function = cut.rpartition(".")
            original = getattr(__import__(module, fromlist=[function]), function)
            stack.enter_context(patch(cut, stop))
        stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        with contextlib.suppress(Cut):
            work()
        return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def goes_on(command: tuple[str, ...], output: str, whole: Files, more: Files | None = None) -> Callable[..., None]:
    """The command ends with the bytes of one that nothing interrupted, or refuses.

    Args:
        output: what it writes.
        whole: the files after the uninterrupted one.
        more: files that are no part of the kind's.
    """

    def check(folder: Path, spoiled: Path) -> None:
        write(folder, more or {})
        with inside(folder):
            if accepted(run(*command), spoiled):
                for name, data in whole.items():
                    if name == output or name.startswith(f"{output}/"):
                        found = (folder / name).read_bytes() if (folder / name).is_file() else b""
                        if found != data:
                            raise Wrong("uncounted", f"{name} has other bytes than without an interruption")

    return check


def stored_pairs(folder: Path) -> Any:
    """The vectors of the pairs' queries from a store in the folder."""
    from isoglot.retrieval.store import EmbeddingStore

    texts = [row["query"] for row in pair_rows()]
    return np.asarray(EmbeddingStore(folder / "store").encode(Lengths(), "digest", "", texts, "query", shard_size=3))


class Lengths:
    """A model whose vectors say how long a text is and how it begins."""

    similarity_fn_name = "cosine"
    prompts: ClassVar[dict[str, str]] = {}

    def encode_query(self, texts: list[str], **_: Any) -> Any:
        vectors = np.array([[len(text), ord(text[-2]), 1] for text in texts], dtype=np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def check_store(folder: Path, spoiled: Path) -> None:
    with inside(folder):
        answered(lambda: stored_pairs(Path()).tobytes(), stored_whole(), spoiled)


@cache
def stored_whole() -> bytes:
    with tempfile.TemporaryDirectory() as name, contextlib.redirect_stderr(io.StringIO()):
        found: bytes = stored_pairs(Path(name)).tobytes()
    return found


def answered(work: Callable[[], Any], expected: Any, spoiled: Path) -> None:
    """A reader gives what it gave when nothing was spoiled, or refuses."""
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            found = work()
    except InputError as error:
        refused(words_of(error), spoiled)
    else:
        same("what was kept", expected, found)


def mapped_texts() -> list[str]:
    from isoglot.data.benchmarks.mapped import map_corpus

    return list(map_corpus([Path("corpus.jsonl")], "toy").texts)


CORPUS = {"corpus.jsonl": jsonl([{"docid": f"d{i}", "title": "t", "text": f"text {i}"} for i in range(4)])}


def check_corpus(folder: Path, spoiled: Path) -> None:
    """The copy of a corpus in the cache, which is named after path and time of the corpus."""
    with inside(folder):
        (made,) = (path for path in (folder / "cache/corpora").iterdir() if path.is_dir() or path.is_symlink())
        os.utime("corpus.jsonl", (_TIME, _TIME))
        with patch("isoglot.data.benchmarks.mapped.digest_strings", lambda _: made.name):
            answered(mapped_texts, [f"text {i}" for i in range(4)], spoiled)


def checkpoint_files() -> Files:
    from isoglot.training.checkpoints import begin, finish

    def work() -> None:
        for step in (2, 4):
            checkpoint = Path(f"run/checkpoint-{step}")
            begin(checkpoint)
            (checkpoint / "trainer_state.json").write_text(f'{{"global_step": {step}}}')
            (checkpoint / "model.safetensors").write_bytes(bytes(range(50)))
            finish(checkpoint)

    return left({}, work)


def check_checkpoints(folder: Path, spoiled: Path) -> None:
    """A checkpoint that is taken is as it was written."""
    from isoglot.training.checkpoints import newest_whole

    good = checkpoint_files()
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            taken = newest_whole(folder / "run")
    except InputError as error:
        refused(words_of(error), spoiled)
        return
    for path in taken.iterdir() if taken else ():
        name = path.relative_to(folder).as_posix()
        if path.name != "digests.json" and path.read_bytes() != good[name]:
            raise Wrong("uncounted", f"{name} was damaged and is taken")


PACK = ("data", "pack", "p.jsonl", "--output", "packed")
TRANSLATE = ("data", "translate", "p.jsonl", "--from", "en", "--to", "fr", "--output", "made.jsonl")
TRANSLATE = (*TRANSLATE, "--backend", "command:tr a-z b-za", "--overwrite")
MINE = ("data", "mine", "p.jsonl", "--model", "model", "--margin", "-2", "--output", "mined.jsonl")


@register
def _kept() -> Iterator[Kind]:
    begun = left(PAIRS, lambda: main(list(PACK)), "isoglot.data.pairs.parts._columns", 2)
    whole = left(PAIRS, lambda: main(list(PACK)))
    unfinished = tuple(name for name in begun if name != "p.jsonl")
    yield Kind("unfinished pack", begun, goes_on(PACK, "packed", whole), unfinished)
    model = model_files()
    begun = left({**PAIRS, **model}, lambda: main(list(MINE)), "isoglot.retrieval.mine_file.dump_pairs")
    whole = left({**PAIRS, **model}, lambda: main(list(MINE)))
    unfinished = tuple(name for name in begun if name.startswith("mined"))
    yield Kind("unfinished search for negatives", begun, goes_on(MINE, "mined.jsonl", whole), unfinished)
    whole = left(PAIRS, lambda: main(list(TRANSLATE)))
    made = tuple(name for name in whole if name.startswith("cache/translations"))
    yield Kind("cache of translations", whole, goes_on(TRANSLATE, "made.jsonl", whole), made)
    stored = left({}, lambda: stored_pairs(Path()))
    yield Kind("store of embeddings", stored, check_store)
    copied = left(CORPUS, mapped_texts)
    yield Kind("copy of a corpus", copied, check_corpus, tuple(name for name in copied if name.startswith("cache")))
    yield Kind("checkpoints", checkpoint_files(), check_checkpoints)
