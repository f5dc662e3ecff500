"""Texts of many requests in common forward passes: one queue, one thread around the model.

A pass takes what waits when the model becomes free, so nothing is delayed to fill it. The order is fair: requests take turns by
slices of a pass, so that a request of one short text is in one of the next passes however large the others are. Texts that
only decorate an answer (sentences to highlight) wait while others do, but for a pass now and then.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from isoglot.records import Float32Array, Kind

Key = tuple[str, Kind]
"""What texts of one pass share: the model and the side."""
_SLICES = 8
"""Turns in a pass: a request takes an eighth of it before the next one has its turn."""
_PATIENCE = 1.0
"""Seconds after which texts that can wait have a pass, whatever else waits."""


class Full(Exception):
    """The queue has no room for so many texts."""


class Closed(Exception):
    """No texts are taken any more: the server stops."""


class Withdrawn(Exception):
    """Nobody waits for these texts any more."""


class Encoded(NamedTuple):
    """What a model made of n texts.

    Attributes:
        vectors: float32, shape (n, d).
        tokens: how many it read of each text, its prompt and special tokens among them; 0 where nobody asked.
        cut: whether it read less than the whole text; false where nobody asked.
    """

    vectors: Float32Array
    tokens: Sequence[int]
    cut: Sequence[bool]


Encode = Callable[[Key, list[str], bool], Encoded]
"""(key, texts, whether tokens are to be counted) -> what a model made of them."""


class Watch(Protocol):
    """Is told what passes take (`isoglot.serving.metrics`)."""

    def waited(self, seconds: float) -> None: ...

    def encoded(self, model: str, texts: int, tokens: int, seconds: float) -> None: ...


@dataclass(eq=False)
class _Job:
    """Texts of one request, and how far they have come."""

    key: Key
    texts: Sequence[str]
    sizes: Sequence[int]
    counted: bool
    future: Future[Encoded] = field(default_factory=Future)
    submitted: float = field(default_factory=time.monotonic)
    taken: int = 0
    parts: list[Encoded] = field(default_factory=list)

    @property
    def left(self) -> tuple[int, int]:
        """Texts and tokens that no pass has taken yet."""
        return len(self.texts) - self.taken, sum(self.sizes[self.taken :])

    def take(self, share: int, room: int) -> tuple[list[str], int]:
        """The next texts with at most `share` tokens together, or one, if they have at most `room`; and their tokens."""
        start, used = self.taken, 0
        for size in self.sizes[start:]:
            if used + size > (share if used else room) or used + size > room:
                break
            used += size
            self.taken += 1
        return list(self.texts[start : self.taken]), used

    def give(self, part: Encoded) -> None:
        """What a pass made of the texts that it took last; the answer is complete with the last ones."""
        self.parts.append(part)
        if sum(len(part.vectors) for part in self.parts) < len(self.texts):
            return
        vectors, tokens, cut = zip(*self.parts)
        whole = Encoded(
            np.concatenate(vectors), [n for part in tokens for n in part], [c for part in cut for c in part]
        )
        with suppress(InvalidStateError):  # cancelled meanwhile
            self.future.set_result(whole)

    def fail(self, error: BaseException) -> None:
        """End it with an error."""
        with suppress(InvalidStateError):
            self.future.set_exception(error)


class Batcher:
    """Encodes texts of concurrent requests. Its thread ends with `close`.

    Args:
        encode: called by one thread alone.
        batch_tokens: of a pass, estimated; a longer text is a pass of its own.
        queue_texts, queue_tokens: that wait at most; more than that is taken from one request where nothing else waits.
        watch: is told what passes take.
    """

    def __init__(self, encode: Encode, *, batch_tokens: int, queue_texts: int, queue_tokens: int, watch: Watch) -> None:
        self._encode, self._watch = encode, watch
        self._batch_tokens, self._room = batch_tokens, (queue_texts, queue_tokens)
        self._urgent: list[_Job] = []
        self._patient: list[_Job] = []
        self._served = time.monotonic()  # when texts that can wait had a pass, or began to wait
        self._recent: deque[tuple[int, float]] = deque(maxlen=64)  # (tokens, seconds) of the last passes
        self._running = 0  # tokens of the pass that is computed
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="encode", daemon=True)
        self._thread.start()

    def submit(self, key: Key, texts: Sequence[str], sizes: Sequence[int], *, counted: bool = False) -> Future[Encoded]:
        """Queue texts of a request.

        Args:
            key: model and side.
            texts: at least one.
            sizes: tokens of each, about.
            counted: the tokens that the model reads are wanted, too.

        Returns:
            A future; cancelling it takes the texts out of the queue.

        Raises:
            Full: there is no room.
            Closed: the server stops.
        """
        job = _Job(key, texts, sizes, counted)
        with self._changed:
            self._check_open()
            if not self._has_room(self._urgent, job):
                raise Full
            self._add(self._urgent, job)
        return job.future

    def submit_patient(
        self, key: Key, texts: Sequence[str], sizes: Sequence[int], is_wanted: Callable[[], bool]
    ) -> Future[Encoded]:
        """Queue texts that can wait; where there is no room, wait for it.

        Args:
            is_wanted: asked now and then whether anybody waits for them.

        Raises:
            Withdrawn: nobody does.
            Closed: the server stops.
        """
        job = _Job(key, texts, sizes, False)
        with self._changed:
            while not self._has_room(self._patient, job):
                if not is_wanted():
                    raise Withdrawn
                self._changed.wait(0.1)
            self._check_open()
            if not self._patient:
                self._served = time.monotonic()
            self._add(self._patient, job)
        return job.future

    def depth(self) -> tuple[int, int]:
        """Texts and tokens that wait."""
        with self._changed:
            return _total(self._urgent + self._patient)

    def seconds_to_wait(self) -> float:
        """How long what waits will take at the pace of the last passes; 1 before any was measured."""
        with self._changed:
            waiting = _total(self._urgent)[1] + self._running
            tokens, seconds = (sum(numbers) for numbers in zip(*self._recent)) if self._recent else (0, 0.0)
        return waiting * seconds / tokens if tokens else 1.0

    def close(self) -> None:
        """Take no more, finish what waits, end the thread; calling it again does nothing."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()

    def _check_open(self) -> None:
        if self._closing:
            raise Closed

    def _has_room(self, lane: list[_Job], job: _Job) -> bool:
        return not lane or all(there + more <= room for there, more, room in zip(_total(lane), job.left, self._room))

    def _add(self, lane: list[_Job], job: _Job) -> None:
        lane.append(job)
        job.future.add_done_callback(lambda future: self._withdraw(lane, job) if future.cancelled() else None)
        self._changed.notify_all()

    def _withdraw(self, lane: list[_Job], job: _Job) -> None:
        with self._changed:
            if job in lane:
                lane.remove(job)
                self._changed.notify_all()

    def _work(self) -> None:
        while (batch := self._next()) is not None:
            self._run(*batch)

    def _next(self) -> tuple[Key, list[tuple[_Job, list[str]]], int] | None:
        """What the next pass computes: the key, texts by job, tokens; None at the end."""
        with self._changed:
            self._running = 0
            while not (self._urgent or self._patient):
                if self._closing:
                    return None
                self._changed.wait()
            now = time.monotonic()
            is_due = self._patient and now - self._served > _PATIENCE
            lane, slices = (self._patient, 1) if is_due or not self._urgent else (self._urgent, _SLICES)
            if lane is self._patient:
                self._served = now
            key, taken, self._running = self._fill(lane, slices)
            for job, _ in taken:
                if not job.parts:
                    self._watch.waited(now - job.submitted)
            self._changed.notify_all()
            return key, taken, self._running

    def _fill(self, lane: list[_Job], slices: int) -> tuple[Key, list[tuple[_Job, list[str]]], int]:
        """Texts of the lane's first key by turns; where there are slices, who had one and is not done goes to the end."""
        key = lane[0].key
        turns, texts = deque(job for job in lane if job.key == key), dict[_Job, list[str]]()
        share, used = max(1, self._batch_tokens // slices), 0
        while turns:
            job = turns[0]
            room = self._batch_tokens - used if used else max(self._batch_tokens, job.sizes[job.taken])
            part, tokens = job.take(share, room)
            if not part:
                break  # the pass is full
            used += tokens
            texts.setdefault(job, []).extend(part)
            if job.taken == len(job.texts):
                turns.popleft()
            elif slices == 1:
                break  # texts that can wait do so in the order in which they came
            else:
                turns.rotate(-1)
        lane[:] = [job for job in lane if job.key != key] + list(turns)
        return key, list(texts.items()), used

    def _run(self, key: Key, taken: list[tuple[_Job, list[str]]], tokens: int) -> None:
        """Compute a pass. Where it fails, every job is tried alone: others need not fail with the one that is wrong."""
        texts = [text for _, part in taken for text in part]
        started = time.monotonic()
        try:
            whole = self._encode(key, texts, any(job.counted for job, _ in taken))
        except BaseException as error:  # a panic of Rust's is no Exception; this thread goes on
            if len(taken) > 1:
                for job, part in taken:
                    self._run(key, [(job, part)], 0)
                return
            (job, _), *_ = taken
            job.fail(error)
            with self._changed:
                for lane in (self._urgent, self._patient):
                    if job in lane:
                        lane.remove(job)
            return
        seconds = time.monotonic() - started
        if tokens:
            with self._changed:
                self._recent.append((tokens, seconds))
        self._watch.encoded(key[0], len(texts), tokens, seconds)
        start = 0
        for job, part in taken:
            own = slice(start, start + len(part))
            job.give(Encoded(whole.vectors[own], whole.tokens[own], whole.cut[own]))
            start += len(part)


def _total(lane: Sequence[_Job]) -> tuple[int, int]:
    left = [job.left for job in lane]
    return sum(texts for texts, _ in left), sum(tokens for _, tokens in left)
