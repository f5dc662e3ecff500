"""LoRA as one matrix product per module: for a pass the adapter is added to the weight, whose own gradient nobody needs.

PEFT computes W x + s B (A x) by three products and half a dozen small operations, on copies of x in two precisions. Here
y = (W + s B A) x, and from dL/dy = g, with all rows of a batch as rows of x and g:

    dL/dx = g (W + s B A),   dL/dB = s g' (x A'),   dL/dA = s (g B)' x

which is what the chain rule gives for PEFT's expression too (Hu et al. 2021, arXiv 2106.09685, section 4.1). Under autocast the
sum is made in float32 and rounded once, as the weight alone is under full fine-tuning.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor


def fuse(model: torch.nn.Module) -> int:
    """Let the LoRA modules of a model compute like this, in place; how many do. Others (dropout, DoRA, several adapters) stay."""
    from peft.tuners.lora import Linear

    fused = 0
    for module in model.modules():
        if isinstance(module, Linear) and type(module.base_layer) is torch.nn.Linear and _is_plain(module):
            module.forward = partial(_forward, module)  # type: ignore[method-assign]
            fused += 1
    return fused


def _is_plain(module: Any) -> bool:
    (name, *others) = module.active_adapters
    return (
        not others
        and not module.merged
        and not module.lora_variant
        and module.lora_A[name].bias is None
        and module.lora_B[name].bias is None
        and isinstance(module.lora_dropout[name], torch.nn.Identity)
    )


def _forward(module: Any, x: Tensor, *given: Any, **more: Any) -> Tensor:
    (name,) = module.active_adapters
    if module.disable_adapters or module.merged or given or more:
        computed: Tensor = type(module).forward(module, x, *given, **more)
        return computed
    base, a, b = module.base_layer, module.lora_A[name].weight, module.lora_B[name].weight
    result: Tensor = _Fused.apply(x, base.weight, base.bias, a, b, module.scaling[name])
    return result


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scale: float) -> Tensor:
        device = x.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype
        with torch.autocast(device, enabled=False):
            x = x.to(dtype)
            merged = torch.addmm(weight, b, a, alpha=scale).to(dtype)
            ctx.save_for_backward(x, merged, a, b)
            ctx.scale = scale
            return torch.nn.functional.linear(x, merged, None if bias is None else bias.to(dtype))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, merged, a, b = ctx.saved_tensors
        g = gradients[0].to(x.dtype).flatten(0, -2)
        rows = x.flatten(0, -2)
        with torch.autocast(x.device.type, enabled=False):
            below = (g @ merged).view_as(x) if ctx.needs_input_grad[0] else None
            grad_a = ((g @ b.to(x.dtype)).T @ rows).to(a.dtype) * ctx.scale
            grad_b = (g.T @ (rows @ a.to(x.dtype).T)).to(b.dtype) * ctx.scale
        return below, None, None, grad_a, grad_b, None
