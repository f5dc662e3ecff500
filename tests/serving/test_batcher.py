"""The queue: passes within their bound, fair turns, bounded, and nobody pays for another's mistake or absence."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager

import numpy as np
import pytest

from isoglot.serving.batcher import Batcher, Closed, Encoded, Full, Key, Withdrawn
from isoglot.serving.kept import Kept
from tests.serving.servers import wait_for

BASE: Key = ("base", "query")
OTHER: Key = ("other", "query")


class Model:
    """Counts characters. Until `go` is set, it stays in its first pass."""

    def __init__(self) -> None:
        self.passes: list[tuple[Key, list[str]]] = []
        self.go = threading.Event()

    def __call__(self, key: Key, texts: list[str], counted: bool) -> Encoded:
        self.passes.append((key, texts))
        assert self.go.wait(30)
        if any(text == "bad" for text in texts):
            raise ValueError("a bad text")
        vectors = np.array([[len(text), ord(text[0])] for text in texts], dtype=np.float32)
        return Encoded(vectors, [len(text) for text in texts], [False for _ in texts])


class Watch:
    def __init__(self) -> None:
        self.waits: list[float] = []
        self.encodes: list[tuple[str, int, int]] = []

    def waited(self, seconds: float) -> None:
        self.waits.append(seconds)

    def encoded(self, model: str, texts: int, tokens: int, seconds: float) -> None:
        self.encodes.append((model, texts, tokens))


@contextmanager
def queue(*, batch: int = 8, texts: int = 1000, tokens: int = 1000) -> Iterator[tuple[Batcher, Model]]:
    model = Model()
    own = Batcher(model, batch_tokens=batch, queue_texts=texts, queue_tokens=tokens, watch=Watch())
    try:
        yield own, model
    finally:
        model.go.set()
        own.close()


def submit(own: Batcher, *texts: str, key: Key = BASE):
    return own.submit(key, texts, [len(text) for text in texts])


def busy(own: Batcher, model: Model) -> None:
    """Put the model into a pass that lasts."""
    submit(own, "x")
    wait_for(lambda: model.passes)


def test_what_waits_is_one_pass_and_each_gets_its_own() -> None:
    with queue() as (own, model):
        busy(own, model)
        futures = [submit(own, "a"), submit(own, "bb", "ccc"), submit(own, "d")]
        model.go.set()
        found = [future.result(30).vectors.tolist() for future in futures]
    assert found == [[[1, ord("a")]], [[2, ord("b")], [3, ord("c")]], [[1, ord("d")]]]
    assert [texts for _, texts in model.passes] == [["x"], ["a", "bb", "ccc", "d"]]


def test_passes_are_bounded_by_tokens_and_a_longer_text_is_alone() -> None:
    with queue(batch=8) as (own, model):
        busy(own, model)
        futures = [submit(own, *["abc"] * 5), submit(own, "l" * 20), submit(own, "z")]
        model.go.set()
        sizes = [len(future.result(30).vectors) for future in futures]
    assert sizes == [5, 1, 1]
    for _, texts in model.passes:
        assert sum(map(len, texts)) <= 8 or len(texts) == 1
    assert ["l" * 20] in [texts for _, texts in model.passes]


def test_a_small_request_is_not_behind_a_huge_one() -> None:
    with queue(batch=8) as (own, model):
        busy(own, model)
        huge, small = submit(own, *["h"] * 400), submit(own, "s")
        model.go.set()
        assert small.result(30).vectors.tolist() == [[1, ord("s")]]
        assert len(huge.result(30).vectors) == 400
    assert "s" in model.passes[1][1], "it is in the first pass after it came"


def test_huge_requests_take_turns() -> None:
    with queue(batch=8) as (own, model):
        busy(own, model)
        futures = [submit(own, *[letter] * 40) for letter in "abcd"]
        model.go.set()
        for future in futures:
            future.result(30)
    for _, texts in model.passes[1:]:
        assert set(texts) == set("abcd")


def test_passes_are_of_one_model_and_models_take_turns() -> None:
    with queue(batch=4) as (own, model):
        busy(own, model)
        futures = [submit(own, *["a"] * 12), submit(own, *["b"] * 12, key=OTHER)]
        model.go.set()
        for future in futures:
            future.result(30)
    keys = [key for key, _ in model.passes[1:]]
    assert keys == [BASE, OTHER] * 3


def test_full_queue_refuses_and_an_empty_one_takes_what_is_larger() -> None:
    with queue(texts=3, tokens=100) as (own, model):
        busy(own, model)
        submit(own, "a", "b")
        with pytest.raises(Full):
            submit(own, "c", "d")
        submit(own, "c")
        assert own.depth() == (3, 3)
    with queue(texts=100, tokens=10) as (own, model):
        busy(own, model)
        assert submit(own, "e" * 50) is not None
        with pytest.raises(Full):
            submit(own, "f")


def test_who_leaves_is_taken_out() -> None:
    with queue(batch=4) as (own, model):
        busy(own, model)
        gone, stays = submit(own, *["g"] * 100), submit(own, "s")
        gone.cancel()
        assert own.depth() == (1, 1)
        model.go.set()
        stays.result(30)
        with pytest.raises(CancelledError):
            gone.result()
    assert not any("g" in texts for _, texts in model.passes)


def test_who_leaves_in_the_middle_of_a_pass_harms_nobody() -> None:
    with queue(batch=4) as (own, model):
        gone = submit(own, *["g"] * 100)
        wait_for(lambda: model.passes)
        stays = submit(own, "s")
        gone.cancel()
        model.go.set()
        assert len(stays.result(30).vectors) == 1
    assert sum(texts.count("g") for _, texts in model.passes) <= 4


def test_one_bad_text_fails_its_own_request_only() -> None:
    with queue() as (own, model):
        busy(own, model)
        good, bad, fine = submit(own, "ok"), submit(own, "bad", *["b"] * 50), submit(own, "yes")
        model.go.set()
        assert good.result(30).vectors.tolist() == [[2, ord("o")]]
        assert fine.result(30).vectors.tolist() == [[3, ord("y")]]
        with pytest.raises(ValueError, match="a bad text"):
            bad.result(30)
        assert own.depth() == (0, 0), "the rest of it does not wait any more"


def test_what_can_wait_waits_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    with queue(batch=4) as (own, model):
        busy(own, model)
        patient = own.submit_patient(BASE, ["p"], [1], lambda: True)
        urgent = [submit(own, "u") for _ in range(12)]
        model.go.set()
        for future in [*urgent, patient]:
            future.result(30)
    assert model.passes[-1][1] == ["p"], "all others first"
    monkeypatch.setattr("isoglot.serving.batcher._PATIENCE", 0.0)
    with queue(batch=4) as (own, model):
        busy(own, model)
        patient = own.submit_patient(BASE, ["p"], [1], lambda: True)
        urgent = [submit(own, "u") for _ in range(12)]
        model.go.set()
        for future in [*urgent, patient]:
            future.result(30)
    assert model.passes[1][1] == ["p"], "it has waited long enough"


def test_what_can_wait_waits_for_room_too() -> None:
    with queue(texts=2) as (own, model):
        busy(own, model)
        own.submit_patient(BASE, ["p", "q"], [1, 1], lambda: True)
        wanted = [True]
        found: list[object] = []

        def more() -> None:
            try:
                found.append(own.submit_patient(BASE, ["r"], [1], lambda: wanted[0]).result(30))
            except Withdrawn as error:
                found.append(error)

        threads = [threading.Thread(target=more) for _ in range(2)]
        threads[0].start()
        wait_for(lambda: threads[0].is_alive())
        wanted[0] = False
        threads[0].join(30)
        assert isinstance(found.pop(), Withdrawn)
        wanted[0] = True
        threads[1].start()
        model.go.set()
        threads[1].join(30)
        assert isinstance(found.pop(), Encoded)


def test_the_time_to_wait_is_that_of_the_pace() -> None:
    with queue(batch=1000) as (own, model):
        assert own.seconds_to_wait() == 1, "nothing is known yet"
        busy(own, model)
        threading.Timer(0.2, model.go.set).start()
        wait_for(lambda: own.depth() == (0, 0) and model.go.is_set())
        submit(own, "a").result(30)
        model.go.clear()
        submit(own, "b" * 100)
        wait_for(lambda: len(model.passes) == 3)
        submit(own, *["c" * 100] * 2)
        seconds_of_two_tokens = own.seconds_to_wait() * 2 / 300  # 100 are computed, 200 wait
        assert 0.05 < seconds_of_two_tokens < 10


def test_closing_finishes_what_waits_and_takes_no_more() -> None:
    model = Model()
    watch = Watch()
    own = Batcher(model, batch_tokens=2, queue_texts=100, queue_tokens=100, watch=watch)
    future = submit(own, *["a"] * 9)
    threading.Timer(0.1, model.go.set).start()
    own.close()
    assert len(future.result(0).vectors) == 9
    with pytest.raises(Closed):
        submit(own, "b")
    with pytest.raises(Closed):
        own.submit_patient(BASE, ["b"], [1], lambda: True)
    own.close()
    assert watch.encodes == [("base", 2, 2)] * 4 + [("base", 1, 1)]
    assert len(watch.waits) == 1


def test_patient_texts_are_served_in_their_order() -> None:
    with queue(batch=4) as (own, model):
        busy(own, model)
        first, second = (own.submit_patient(BASE, [letter] * 10, [1] * 10, lambda: True) for letter in "pq")
        model.go.set()
        first.result(30), second.result(30)
    assert "".join("".join(texts) for _, texts in model.passes[1:]) == "p" * 10 + "q" * 10


def test_a_panic_does_not_end_the_thread() -> None:
    class Panic(BaseException):
        pass

    def encode(key: Key, texts: list[str], counted: bool) -> Encoded:
        if texts == ["panic"]:
            raise Panic
        return Encoded(np.ones((len(texts), 2), dtype=np.float32), [1] * len(texts), [False] * len(texts))

    own = Batcher(encode, batch_tokens=8, queue_texts=10, queue_tokens=10, watch=Watch())
    with pytest.raises(Panic):
        own.submit(BASE, ["panic"], [1]).result(30)
    assert len(own.submit(BASE, ["fine"], [1]).result(30).vectors) == 1
    own.close()


def test_kept_vectors_are_those_of_their_model_and_text() -> None:
    asked: list[list[str]] = []

    def encode(texts: list[str]) -> Encoded:
        asked.append(texts)
        return Encoded(
            np.array([[len(text)] for text in texts], dtype=np.float32), [len(t) for t in texts], [False] * len(texts)
        )

    kept = Kept(3)
    assert kept.get(BASE, ["a", "bb", "a"], encode).vectors.tolist() == [[1], [2], [1]]
    assert kept.get(BASE, ["bb", "ccc"], encode).tokens == [2, 3]
    assert kept.get(OTHER, ["bb"], encode).vectors.tolist() == [[2]]
    assert kept.get(BASE, ["a"], encode).vectors.tolist() == [[1]], "it was forgotten"
    assert kept.get(BASE, ["ccc", "a"], encode).vectors.tolist() == [[3], [1]]
    assert asked == [["a", "bb"], ["ccc"], ["bb"], ["a"]]
    none = Kept(0)
    for _ in range(2):
        assert none.get(BASE, ["a"], encode).vectors.tolist() == [[1]]
    assert asked[4:] == [["a"], ["a"]]
