"""Work of `fuzz.py` in child processes, which tell of it in lines of JSON: properties under hypothesis, readers under atheris.

A child that hangs, crashes or eats memory is a finding, and the next child goes on.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import os
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from _forked import forked

MODULES = ("plans", "ranking", "readers", "pairs", "commands", "codes", "settings", "texts")
HTTP = "http"
SILENT = 300
"""Seconds without a word after which a child is taken to hang: the slowest property tells of itself every few seconds."""
_BYTES = 16 << 30  # torch maps much that it never uses
_EVERY = 0.5  # seconds between words of a child
Tell = Callable[..., None]
Told = dict[str, Any]


def in_child(work: Callable[[Tell], None], until: float, log: Path) -> Iterator[Told]:
    """What some work in a child tells of itself; at last, where it did not end by itself, the finding "hang" or "crash".

    Args:
        until: when it is stopped, by `time.monotonic`.
        log: where its output goes.
    """
    child, read = forked(lambda sink: _alone(work, sink, log))
    ended, rest, is_stopped = "", b"", False
    with os.fdopen(read, "rb") as source:
        while True:
            left = until - time.monotonic()
            if left <= 0 or not select.select([source], [], [], min(left, SILENT))[0]:
                ended, is_stopped = "" if until - time.monotonic() <= 0 else "hang", True
                os.kill(child, signal.SIGKILL)
                break
            if not (chunk := os.read(source.fileno(), 65_536)):
                break
            *lines, rest = (rest + chunk).split(b"\n")
            yield from map(json.loads, lines)
    _, status = os.waitpid(child, 0)
    if status and not is_stopped:
        ended = "crash"
    if ended:
        said = log.read_text(encoding="utf-8", errors="replace")
        yield {"finding": ended, "detail": f"status {status}: {said[-1500:]}"}


def _alone(work: Callable[[Tell], None], sink: int, log: Path) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_BYTES, _BYTES))
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)

    def tell(**told: Any) -> None:
        os.write(sink, json.dumps(told).encode() + b"\n")

    work(tell)


def _found(error: BaseException) -> dict[str, str]:
    """A finding: the place in isoglot (or in the property) that raised it, and its words with what hypothesis shrank it to."""
    frames = traceback.extract_tb(error.__traceback__)
    by_part = ([frame for frame in frames if part in frame.filename] for part in ("/src/isoglot/", "/tests/"))
    own = next(filter(None, by_part), frames)
    place = f"{Path(own[-1].filename).name}:{own[-1].lineno}"
    words = "".join(traceback.format_exception(error))
    return {"finding": f"{type(error).__name__} at {place}", "detail": words[-6000:]}


# --- hypothesis


def properties(module: str) -> dict[str, Any]:
    """The properties of a module of tests/fuzz by name."""
    found = vars(import_module(f"tests.fuzz.test_{module}"))
    return {f"{module}: {name[5:].replace('_', ' ')}": one for name, one in found.items() if hasattr(one, "hypothesis")}


def try_properties(module: str, wanted: str, seed: int, tell: Tell) -> None:
    """Every property of a module once, with the inputs of a long run."""
    import hypothesis

    for name, one in properties(module).items():
        if wanted not in name:
            continue
        with _counted(one, functools.partial(tell, target=name)):
            try:
                hypothesis.seed(seed)(one)()
            except BaseException as error:
                for inner in getattr(error, "exceptions", (error,)):  # a group, where there are several
                    tell(target=name, **_found(inner))


@contextlib.contextmanager
def _counted(one: Any, tell: Tell) -> Iterator[None]:
    """Tell how many inputs a property was given."""
    inner, count, said = one.hypothesis.inner_test, 0, time.monotonic()

    @functools.wraps(inner)
    def counting(*args: Any, **given: Any) -> Any:
        nonlocal count, said
        count += 1
        if time.monotonic() - said > _EVERY:
            said = time.monotonic()
            tell(inputs=count)
        return inner(*args, **given)

    counting.__signature__ = inspect.signature(inner)  # type: ignore[attr-defined]
    one.hypothesis.inner_test = counting
    try:
        yield
    finally:
        one.hypothesis.inner_test = inner
        tell(inputs=count)


# --- atheris


def check_atheris() -> None:
    """SystemExit where it is not installed."""
    if not find_spec("atheris"):
        raise SystemExit(
            "atheris is not installed: pip install atheris (it has wheels for Linux and some versions of Python), or take "
            "--engine hypothesis schemathesis"
        )


def try_readers(wanted: str, until: float, seed: int, log: Path, tell: Tell) -> None:
    """Every reader in a child of its own, in equal shares of the time; isoglot must not have been imported before.

    All good files are read first: what that imports is instrumented once and not by every child.
    """
    import atheris

    assert not [name for name in sys.modules if name.startswith("isoglot")], "imported before it could be instrumented"
    atheris.instrument_imports(include=["isoglot"], enable_loader_override=False).__enter__()
    from tests.fuzz.readers import lay_out, readers, try_bytes

    names = [name for name in readers() if wanted in name]
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            lay_out(readers()[name], Path(folder))
            assert try_bytes(readers()[name], readers()[name].seed, Path(folder)), f"{name}: its good file is refused"
    for number, name in enumerate(names):
        own = max(1.0, (until - time.monotonic()) / (len(names) - number))
        work = functools.partial(try_reader, atheris, name, own, seed)
        for told in in_child(work, time.monotonic() + own + 90, log):
            tell(**{"target": f"bytes: {name}", **told})


def try_reader(atheris: Any, name: str, seconds: float, seed: int, tell: Tell) -> None:
    """A reader with bytes that libFuzzer makes of its good file, by the coverage that they reach. Does not return."""
    from tests.fuzz.readers import lay_out, readers, try_bytes

    reader, home = readers()[name], Path(tempfile.mkdtemp(prefix="fuzz-"))
    lay_out(reader, home / "case")
    os.chdir(home / "case")
    os.environ["ISOGLOT_CACHE"] = str(home / "cache")
    (home / "corpus").mkdir()
    (home / "corpus/good").write_bytes(reader.seed)
    (home / "words").write_text(_words())
    count, said, known = 0, time.monotonic(), set[str]()

    def one(data: bytes) -> None:
        nonlocal count, said
        count += 1
        if time.monotonic() - said > _EVERY:
            said = time.monotonic()
            tell(target=f"bytes: {name}", inputs=count)
        try:
            try_bytes(reader, data, home / "case")
        except BaseException as error:
            found = _found(error)
            if found["finding"] not in known:
                known.add(found["finding"])
                tell(target=f"bytes: {name}", **{**found, "detail": f"{data[:3000]!r}\n{found['detail']}"})

    limits = [
        "-rss_limit_mb=8192",
        "-timeout=60",
        "-len_control=0",
        f"-max_total_time={max(1, round(seconds))}",
        f"-seed={seed + 1}",
    ]
    more = [f"-dict={home / 'words'}", f"-artifact_prefix={home}/", "-print_final_stats=0", str(home / "corpus")]
    atheris.Setup([sys.argv[0], *limits, *more], one)
    atheris.Fuzz()


def _words() -> str:
    """Tokens that libFuzzer puts in, as its dictionaries have them."""
    from tests.fuzz.trying import AWKWARD
    from tests.malformed.mutations import WEIRD

    words = {word.encode("utf-8", "surrogatepass") for word in (*AWKWARD, *WEIRD) if 0 < len(word) < 40}
    return "".join('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in sorted(words))
