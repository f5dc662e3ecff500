"""AdamW for full fine-tuning of encoders whose word embeddings are most of the model.

A batch reads a few thousand of 250,000 rows of the embedding matrix, but its gradient is a matrix as large as the embeddings,
allocated and filled with zeros for every forward chunk, and AdamW keeps two more. Here the embeddings get a sparse gradient and
the optimizer keeps its moments for the rows alone that ever had one. The result is that of dense AdamW (Loshchilov and Hutter
2019, arXiv 1711.05101, algorithm 2): for a row that never had a gradient both moments are zero, so that only the weight decay
moves it; a row that had one once is moved by its moments in every later step. (`torch.optim.SparseAdam` is another method: it
leaves moments and rows as they are in steps without a gradient, and has no weight decay.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor
from torch.optim.adamw import AdamW, adamw


class RowAdamW(AdamW):
    """AdamW that also takes sparse gradients, exactly; for dense gradients it is `torch.optim.AdamW`.

    State of a parameter (rows, width) with sparse gradients: `rows`, int64 (a,), the rows that ever had a gradient, in the
    order of their first; `exp_avg` and `exp_avg_sq`, (a, width), their moments; `step`. Either kind of state continues under
    the other kind of gradient, so that a checkpoint may move between runs that differ in it.

    Raises:
        ValueError: amsgrad, maximize, capturable or differentiable, which rows do not have here.
    """

    def __init__(self, params: Any, **settings: Any) -> None:
        super().__init__(params, **settings)
        for name in ("amsgrad", "maximize", "capturable", "differentiable"):
            if settings.get(name):
                raise ValueError(f"RowAdamW has no {name}")
        self._slot_tables: dict[Tensor, Tensor] = {}

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step of all parameters that have a gradient; sparse gradients are coalesced in place."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        sparse = []
        with torch.no_grad():
            for group in self.param_groups:
                for weight in group["params"]:
                    if weight.grad is not None and not weight.grad.is_sparse:
                        self._to_dense(weight)
                    elif weight.grad is not None:
                        gradient = weight.grad.coalesce()
                        self._row_step(weight, gradient, group)
                        sparse.append((weight, gradient))
                        weight.grad = None  # AdamW skips it
        super().step()
        for weight, gradient in sparse:
            weight.grad = gradient
        return loss

    def _row_step(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        """One step of a parameter (rows, width) with a coalesced gradient of some of its rows."""
        touched, values = gradient.indices()[0], gradient.values()
        state = self._row_state(weight, touched, bool(group["fused"]))
        slots = self._slots(weight)
        if group["weight_decay"] and group["lr"]:
            weight.mul_(1 - group["lr"] * group["weight_decay"])
        rows = state["rows"]
        moving = weight[rows]
        dense = torch.zeros_like(moving)
        dense[slots[touched]] = values.to(dense.dtype)
        moments = [state["exp_avg"]], [state["exp_avg_sq"]]
        beta1, beta2 = group["betas"]
        options = {name: group[name] for name in ("foreach", "fused", "lr", "eps")}
        options |= {"weight_decay": 0.0, "amsgrad": False, "maximize": False}  # all rows had their decay above
        adamw([moving], [dense], *moments, [], [state["step"]], beta1=beta1, beta2=beta2, **options)
        weight.index_copy_(0, rows, moving)

    def _row_state(self, weight: Tensor, touched: Tensor, fused: bool) -> Any:
        """The parameter's state with moments for all rows in `touched` as well, zero for new ones."""
        state = self.state[weight]
        if not state:
            # where AdamW itself keeps its step: with the parameter for the fused kernel, else where no device is asked
            state["step"] = torch.zeros((), dtype=torch.float32, device=weight.device if fused else "cpu")
            state["rows"] = touched.new_empty(0)
            state["exp_avg"] = weight.new_empty((0, *weight.shape[1:]))
            state["exp_avg_sq"] = weight.new_empty((0, *weight.shape[1:]))
        elif "rows" not in state:  # continues dense AdamW
            state["rows"] = torch.arange(len(weight), device=weight.device)
        slots = self._slots(weight)
        new = touched[slots[touched] < 0]
        if len(new):
            known = len(state["rows"])
            slots[new] = torch.arange(known, known + len(new), device=new.device)
            state["rows"] = torch.cat([state["rows"], new])
            for name in ("exp_avg", "exp_avg_sq"):
                state[name] = torch.cat([state[name], state[name].new_zeros((len(new), *weight.shape[1:]))])
        return state

    def _slots(self, weight: Tensor) -> Tensor:
        """Row of the parameter -> its place in the state, -1 for none; int64 (rows,)."""
        if weight not in self._slot_tables:
            rows = self.state[weight]["rows"]
            table = torch.full((len(weight),), -1, dtype=torch.int64, device=weight.device)
            table[rows] = torch.arange(len(rows), device=weight.device)
            self._slot_tables[weight] = table
        return self._slot_tables[weight]

    def _to_dense(self, weight: Tensor) -> None:
        """Make the state what AdamW has for a dense gradient."""
        state = self.state.get(weight, {})
        if (rows := state.pop("rows", None)) is not None:
            self._slot_tables.pop(weight, None)
            for name in ("exp_avg", "exp_avg_sq"):
                state[name] = torch.zeros_like(weight).index_copy_(0, rows, state[name])

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore a state; the row numbers stay integers (torch casts all of a state to the parameter's type)."""
        super().load_state_dict(state_dict)
        self._slot_tables.clear()
        numbers = (number for group in state_dict["param_groups"] for number in group["params"])
        weights = (weight for group in self.param_groups for weight in group["params"])
        for number, weight in zip(numbers, weights):
            saved = state_dict["state"].get(number, {})
            if "rows" in saved:
                self.state[weight]["rows"] = saved["rows"].to(weight.device, copy=True)


def clip_gradients(parameters: Iterable[Tensor], largest: float) -> Tensor:
    """Scale all gradients so that their common 2-norm is at most `largest`; the norm before, a scalar tensor.

    What `torch.nn.utils.clip_grad_norm_` does, for sparse gradients too: these are coalesced in place first, because the norm
    of a sum is not that of its parts.

    Args:
        parameters: those without a gradient are passed over.
        largest: infinity: only measured.
    """
    gradients = []
    with torch.no_grad():
        for parameter in parameters:
            if parameter.grad is None:
                continue
            if parameter.grad.is_sparse:
                parameter.grad = parameter.grad.coalesce()
            gradients.append(parameter.grad.values() if parameter.grad.is_sparse else parameter.grad)
        norm: Tensor = torch.nn.utils.get_total_norm(gradients, 2.0)
        if largest != float("inf"):
            torch._foreach_mul_(gradients, torch.clamp(largest / (norm + 1e-6), max=1.0))
    return norm


def word_embeddings(model: SentenceTransformer) -> list[torch.nn.Embedding | torch.nn.EmbeddingBag]:
    """The word embeddings of all encoders, as far as they are a plain module; those of a static model."""
    from transformers import PreTrainedModel

    inside = list(model.modules())
    tables = {module.get_input_embeddings() for module in inside if isinstance(module, PreTrainedModel)}
    return [
        module
        for module in inside
        if isinstance(module, torch.nn.EmbeddingBag) or (isinstance(module, torch.nn.Embedding) and module in tables)
    ]


def use_sparse_gradients(model: SentenceTransformer) -> bool:
    """Give trainable word embeddings sparse gradients; False where some cannot have them.

    They cannot where the matrix serves a second module as well (tied weights), whose gradient is dense, or where gradients
    are scaled by frequency or rows renormalised in place.
    """
    tables = word_embeddings(model)
    for module in tables:
        owners = sum(
            parameter is module.weight for inner in model.modules() for parameter in inner._parameters.values()
        )
        plain = not module.scale_grad_by_freq and module.max_norm is None
        module.sparse = module.weight.requires_grad and plain and owners == 1
    return bool(tables) and all(module.sparse for module in tables)
