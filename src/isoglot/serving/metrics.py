"""What a server measures of itself, in Prometheus' text format. Each server has its own registry."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_TEXTS = tuple(2**power for power in range(11))
_TOKENS = tuple(2**power for power in range(4, 17))


class Metrics:
    """All figures of one server; a `Watch` of its batcher."""

    def __init__(self) -> None:
        self._registry = own = CollectorRegistry()
        self.requests = Counter("isoglot_requests", "Requests that were answered", ["route", "status"], registry=own)
        self.latency = Histogram(
            "isoglot_request_seconds",
            "From a request's head to the end of its answer",
            ["route"],
            registry=own,
            buckets=_SECONDS,
        )
        self.refusals = Counter("isoglot_refusals", "Requests that were refused", ["reason"], registry=own)
        self.gone = Counter("isoglot_clients_gone", "Requests whose client did not wait for the answer", registry=own)
        self.search_seconds = Histogram(
            "isoglot_search_seconds", "Of a search, encoding included", ["model"], registry=own, buckets=_SECONDS
        )
        self._queue_seconds = Histogram(
            "isoglot_queue_seconds", "Until the first texts of a request are in a pass", registry=own, buckets=_SECONDS
        )
        self._encode_seconds = Histogram(
            "isoglot_encode_seconds", "Of a pass", ["model"], registry=own, buckets=_SECONDS
        )
        self._batch_texts = Histogram("isoglot_batch_texts", "Texts of a pass", ["model"], registry=own, buckets=_TEXTS)
        self._batch_tokens = Histogram(
            "isoglot_batch_tokens", "Tokens of a pass, estimated", ["model"], registry=own, buckets=_TOKENS
        )

    def waited(self, seconds: float) -> None:
        """See `Watch`."""
        self._queue_seconds.observe(seconds)

    def encoded(self, model: str, texts: int, tokens: int, seconds: float) -> None:
        """See `Watch`."""
        self._encode_seconds.labels(model).observe(seconds)
        self._batch_texts.labels(model).observe(texts)
        self._batch_tokens.labels(model).observe(tokens)

    def gauge(self, name: str, about: str, value: Callable[[], float]) -> None:
        """A figure that is asked for when the metrics are read."""
        Gauge(f"isoglot_{name}", about, registry=self._registry).set_function(value)

    def text(self) -> bytes:
        """All figures."""
        return generate_latest(self._registry)
