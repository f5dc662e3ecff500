"""Requests that nobody should send (benchmarks/_hostile.py has them all), connections that are silent, and no memory."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

from isoglot.serving.logs import LOGGER
from tests.serving.servers import EMBED, SEARCH, Held, Running, running, wait_for

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from _hostile import KINDS, Target, exchange, wrong

T = TypeVar("T")
TOKEN, BODY = "a-long-token-of-ours", 1 << 16


def _run(work: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` in a thread: where the page was tested before, its browser's loop runs in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


@pytest.fixture(scope="module")
def impatient(tiny_index: Path) -> Iterator[Running]:
    with running(tiny_index, token=TOKEN, limits={"timeout": 0.5, "body_bytes": BODY}) as own:
        yield own


def test_every_kind_has_its_answer_and_others_have_theirs(
    impatient: Running, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LOGGER, "propagate", True)
    monkeypatch.setattr(LOGGER, "level", logging.INFO)
    target = Target(int(impatient.url.rpartition(":")[2]), TOKEN, BODY, 0.5)

    async def all_at_once() -> list[Any]:
        valid = exchange(target, target.request({"query": "de1"}))
        return list(await asyncio.gather(valid, *(kind.send(target) for kind in KINDS.values())))

    (valid,), *replies = _run(all_at_once())
    assert valid.status == 200
    problems = [
        f"{name}: {problem}"
        for (name, kind), got in zip(KINDS.items(), replies)
        for r in got
        if (problem := wrong(kind, r))
    ]
    assert not problems
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    wait_for(lambda: impatient.app.state.activity.requests == 0)
    assert impatient.app.state.activity.working == 0


@pytest.mark.parametrize("sent", [b"", b"POST /search HTT", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET"])
def test_silent_connections_are_closed(impatient: Running, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", int(impatient.url.rpartition(":")[2])), timeout=5) as own:
        own.sendall(sent)
        began, said = time.monotonic(), b""
        while part := own.recv(4096):
            said += part
    assert said.startswith(b"HTTP/1.1 200" if b"GET" in sent else b"")
    assert time.monotonic() - began < 3


def test_a_stop_does_not_wait_for_who_is_sent_away(tiny_index: Path) -> None:
    with running(tiny_index) as own:
        held = Held(own.served)
        first = _run(_asked_and_stopped(own, held))
        assert first.status == 200
        assert first.headers["connection"] == "close", "nothing more comes over this connection"


async def _asked_and_stopped(own: Running, held: Held) -> Any:
    target = Target(int(own.url.rpartition(":")[2]), "", BODY, 1)
    first = asyncio.create_task(exchange(target, target.request({"input": "de1"}, EMBED)))
    while not held.passes:
        await asyncio.sleep(0.01)
    own.app.state.activity.stopping = True
    # its body does not come: it is refused, and read on for a while
    refused = asyncio.create_task(exchange(target, target.request(b"{}", SEARCH, Content_Length="9")))
    while own.app.state.activity.requests < 2:
        await asyncio.sleep(0.01)
    own.app.state.activity.stopping = False
    own.server.handle_exit(15, None)
    began = time.monotonic()
    held.let_go()
    (reply,) = await first
    while own.server.servers[0].is_serving():
        assert time.monotonic() - began < 3, "it waits for the one that is refused"
        await asyncio.sleep(0.01)
    refused.cancel()
    return reply


def test_no_memory_is_no_fault(tiny_index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(tiny_index) as own:

        def full(*_: Any) -> Any:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory")

        monkeypatch.setattr(own.served.residents, "encode", full)
        for path, body in ((EMBED, {"input": "de5"}), (SEARCH, {"query": "de5"})):
            response = own.http.post(path, json=body)
            assert own.error(response, 429)["type"] == "busy"
            assert int(response.headers["retry-after"]) >= 5
        monkeypatch.undo()
        assert own.post(EMBED, input="de5").status_code == 200
