"""The work of one request in a thread of its own, given up when its client leaves or its time is over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextvars import ContextVar
from typing import TypeVar

import anyio
import anyio.to_thread
from starlette.requests import Request

from isoglot.errors import lack_of_memory
from isoglot.serving.batcher import Closed, Encoded, Full, Withdrawn
from isoglot.serving.gate import ClientGone
from isoglot.serving.logs import log
from isoglot.serving.refusals import Refusal
from isoglot.serving.residents import Unencodable

T = TypeVar("T")


class Ticket:
    """What a request has in the queue of the model.

    Attributes:
        tokens: that the model read of its texts, where they were counted.
        cut: of its queries, whether the model read less than all.
    """

    def __init__(self) -> None:
        self.tokens = 0
        self.cut: list[bool] = []
        self._futures: set[Future[Encoded]] = set()
        self._given_up = False

    def is_wanted(self) -> bool:
        """Whether anybody waits for the answer."""
        return not self._given_up

    def give_up(self) -> None:
        """Take everything out of the queue."""
        self._given_up = True
        for future in [*self._futures]:
            future.cancel()

    def result(self, future: Future[Encoded]) -> Encoded:
        """Wait for texts that were queued. Withdrawn: nobody waits for them any more."""
        self._futures.add(future)
        if self._given_up:
            future.cancel()
        try:
            return future.result()
        except CancelledError:
            raise Withdrawn from None
        finally:
            self._futures.discard(future)


_TICKET: ContextVar[Ticket] = ContextVar("_TICKET")


def ticket() -> Ticket:
    """Of the request that this thread works for; a new one where it works for none (the warm-up, say)."""
    return _TICKET.get(None) or Ticket()


async def work(
    request: Request,
    do: Callable[[], T],
    *,
    threads: anyio.CapacityLimiter,
    timeout: float,
    wait: Callable[[], float],
) -> T:
    """Run the work of a request in a thread, and say why where it comes to nothing.

    Args:
        do: blocks; what it queues goes through `ticket`.
        threads: how many there may be.
        timeout: seconds.
        wait: in how many seconds there may be room again.

    Raises:
        ClientGone: the client left.
        Refusal: a text that the model cannot read, no room, no time, or the server stops.
    """
    own = Ticket()
    _TICKET.set(own)  # the thread gets a copy of this task's context
    client = asyncio.create_task(_watch(request, own))
    clock = asyncio.get_running_loop().call_later(timeout, own.give_up)
    try:
        return await anyio.to_thread.run_sync(do, limiter=threads)
    except Unencodable as error:
        raise Refusal("invalid_value", str(error)) from None
    except Full:
        raise Refusal("busy", "too many texts are waiting for the model", wait=wait()) from None
    except Closed:
        raise Refusal("stopping", "the server is stopping", wait=5) from None
    except Withdrawn:
        if client.done():
            raise ClientGone from None
        raise Refusal("timeout", f"no answer within {timeout:g} s", wait=wait()) from None
    except Exception as error:
        if (lacking := lack_of_memory(error)) is None:
            raise
        log("memory", {"problem": lacking}, logging.WARNING)
        raise Refusal("busy", "there is not enough memory for this request now", wait=max(5, wait())) from None
    finally:
        own.give_up()
        clock.cancel()
        client.cancel()


async def _watch(request: Request, own: Ticket) -> None:
    """Give up when the client leaves. The body has been read: nothing else comes from it."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    own.give_up()
