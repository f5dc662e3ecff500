"""Forward and backward passes of an encoder as CUDA graphs: recorded once per shape, then started as a whole.

A small encoder does not fill a large GPU: a step takes as long as Python needs to start its thousands of kernels. A CUDA graph
starts all of them at once. What is recorded has fixed shapes and addresses, reads nothing back, and is what `torch` makes of the
model as it is (`torch.cuda.make_graphed_callables`). Random numbers of dropout go on from one run of a graph to the next.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module

from isoglot.errors import first_line, say
from isoglot.processes import processes

_MOST, _SHARE = 24, 0.1
"""Shapes that are recorded, and the share of the GPU's memory that their gradients may take: each holds those of all that is
trained. A pass of another shape runs as usual."""
_WARM_UP = 2  # passes before recording, in which libraries set up their plans and buffers


class Graphs:
    """The graphs of one model.

    Word embeddings are looked up before a graph begins: their gradient is that of the whole table, or sparse.

    Args:
        table: the module that looks word embeddings up.
    """

    def __init__(self, table: Module) -> None:
        self._table = table
        self._recorded: dict[tuple[Any, ...], Any] = {}
        self._trained: list[Any] = []
        self._pool: Any = None
        self._last: weakref.ref[_Backward] | None = None
        self._open = self._parted = False

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Passes are recorded within, of the model as it is there; what was recorded is dropped at the end."""
        self._open = True
        try:
            yield
        finally:
            self._drop()

    def usable(self, model: Module, device: torch.device) -> bool:
        """Whether the next pass may be a graph.

        All graphs share one memory: no second pass may run between a pass and its backward pass.
        """
        alone = processes().world == 1
        return self._open and device.type == "cuda" and model.training and alone and not self._waits()

    def _waits(self) -> bool:
        """Whether the last pass may still be asked for its gradients."""
        last = self._last() if self._last is not None else None
        return last is not None and not last.done

    def run(self, model: Module, tensors: dict[str, Tensor], other: dict[str, Any]) -> Tensor:
        """Embeddings of a stream of tokens, float, shape (texts, d).

        Args:
            model: maps features to `sentence_embedding`.
            tensors: features on the device, `input_ids` among them.
            other: further features.
        """
        words = self._table(tensors["input_ids"])
        given = {"inputs_embeds": words, **{key: value for key, value in tensors.items() if key != "input_ids"}}
        precision = (torch.is_autocast_enabled("cuda"), torch.get_autocast_dtype("cuda"))
        shapes = [(key, value.shape, value.dtype) for key, value in given.items()]
        key = (precision, *shapes, *sorted((name, str(value)) for name, value in other.items()))
        if key not in self._recorded and len(self._recorded) < self._most(model):
            self._recorded[key] = self._record(model, given, other)
        graph = self._recorded.get(key)
        if graph is None:
            return self._run_as_usual(model, {**other, **tensors})
        if torch.is_grad_enabled():
            self._part_from_gradients()
        embeddings: Tensor = graph(*given.values()).clone()  # the next run writes to the same place
        if embeddings.requires_grad:
            backward = _Backward()
            embeddings.register_hook(backward)
            self._last = weakref.ref(backward)
        return embeddings

    def _run_as_usual(self, model: Module, features: dict[str, Any]) -> Tensor:
        """A pass that is not recorded; what recorded ones keep makes room for it where there is none."""
        try:
            embeddings: Tensor = model(dict(features))["sentence_embedding"]
        except torch.OutOfMemoryError:
            if not self._recorded:
                raise
            say("no room on the GPU for recorded passes beside others; it goes on without")
            self._drop()
            embeddings = model(dict(features))["sentence_embedding"]
        return embeddings

    def _most(self, model: Module) -> int:
        """How many shapes are recorded; notes what is trained within them, once."""
        if not self._recorded:
            words = {*self._table.parameters()}
            self._trained = [part for part in model.parameters() if part.requires_grad and part not in words]
        trained = sum(part.nbytes for part in self._trained)
        return min(_MOST, max(1, int(_SHARE * _memory() / max(1, trained))))

    def _drop(self) -> None:
        """Give back what was recorded, and record nothing more."""
        self._open, self._pool = False, None
        if self._recorded:
            self._recorded.clear()
            gc.collect()  # graphs and what they write to refer to each other
            # else memory of every recording stays: the scratch of matrix products lies in it; builds without CUDA have none
            getattr(torch._C, "_cuda_clearCublasWorkspaces", lambda: None)()
            torch.cuda.empty_cache()

    def _part_from_gradients(self) -> None:
        """Copy gradients of the step so far: they lie where a graph's next backward pass writes, which is to add to them."""
        weights = [part for part in self._trained if part.grad is not None]
        if weights and not self._parted:
            for part in weights:
                part.grad = part.grad.clone()
        self._parted = bool(weights)

    def _record(self, model: Module, given: dict[str, Tensor], other: dict[str, Any]) -> Any:
        """The graph of a shape; None where the model cannot be recorded, which is said once."""
        self._pool = torch.cuda.graph_pool_handle() if self._pool is None else self._pool
        trained = {"inputs_embeds"} if any(weights.requires_grad for weights in self._table.parameters()) else set()
        samples = tuple(value.detach().clone().requires_grad_(name in trained) for name, value in given.items())
        options = {"num_warmup_iters": _WARM_UP, "allow_unused_input": True, "pool": self._pool}
        state = torch.cuda.get_rng_state()
        try:
            with torch.enable_grad(), _no_cache():
                return torch.cuda.make_graphed_callables(_Encoding(model, tuple(given), other), samples, **options)
        except (RuntimeError, TypeError, ValueError, AssertionError) as error:
            say(f"this model's passes cannot be recorded as CUDA graphs ({first_line(error)}); it trains without")
            self._drop()
            return None
        finally:
            torch.cuda.set_rng_state(state)


def _no_cache() -> AbstractContextManager[object]:
    """Autocast as it is, without its cache of weights, which a recording does not allow."""
    if not torch.is_autocast_enabled("cuda"):
        return nullcontext()
    context: AbstractContextManager[object] = torch.autocast(
        "cuda", torch.get_autocast_dtype("cuda"), cache_enabled=False
    )
    return context


def _memory() -> int:
    """Bytes of the GPU in all."""
    return int(torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory)


class _Encoding(Module):
    """A model as a function of tensors alone."""

    def __init__(self, model: Module, names: tuple[str, ...], other: dict[str, Any]) -> None:
        super().__init__()
        self._model, self._names, self._other = model, names, other

    def forward(self, *tensors: Tensor) -> Tensor:
        torch.clear_autocast_cache()  # weights are cast within the graph: it must see how they change
        embeddings: Tensor = self._model({**self._other, **dict(zip(self._names, tensors))})["sentence_embedding"]
        return embeddings


class _Backward:
    """Notes that a backward pass began; gone when there will be none."""

    done = False

    def __call__(self, gradient: Tensor) -> None:
        self.done = True
