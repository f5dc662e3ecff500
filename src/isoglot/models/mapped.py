"""Language maps as modules of sentence-transformers alone: the saved model is loaded and used like any other, by any program.

Where queries and passages have maps of their own, a `Router` takes one by the task, which `encode_query` and `encode_document`
name. Where languages have, its routes are `query-de`, `document-de`, ...: `encode(texts, task="query-de", prompt_name="query")`.
Without a language, the routes `query` and `document` tell it from the embedding itself, by three linear layers:

    e -> [softmax(s (W e + c)); e] = [p; e]           `Teller`, sharpened: p is 1 for the language told, else 0
    [p; e] -> [relu(+-u_lk^T e + K p_l - K); p; e]    the part along direction k of language l, 0 where p_l is
    ... -> e - a (sum_lk u_lk (h+_lk - h-_lk) + sum_l p_l b_l)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from isoglot.models.debias import EVERY, Correction
from isoglot.models.language_maps import SIDES, LanguageMaps, Side, Teller
from isoglot.models.weights import sentence_vector
from isoglot.records import FloatArray

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense, Router

TASKS: Mapping[Side, str] = {"query": "query", "passage": "document"}
"""What sentence-transformers calls the sides."""
_NEVER = -1e30
_SHARP = 20.0  # by which the softmax is nearly the greatest alone, as `LanguageMaps.apply` takes it


def append_maps(model: SentenceTransformer, maps: LanguageMaps) -> SentenceTransformer:
    """A model with maps after its modules, in place.

    Maps are fitted on vectors of length 1, unless vectors are compared by their inner product and have lengths of their own: so
    the length is set to 1 before them, where the model does not do it, and after them. A model
    whose vectors were cut to their first d dimensions (Matryoshka) gives d dimensions then without being told.

    Args:
        maps: fitted on what the model gives.
    """
    import torch
    from sentence_transformers.base.modules import Normalize

    width, whole = maps.width, sentence_vector(model, "query").shape[1]
    modules = list(model.children())
    unit = has_unit_vectors(model)
    appended: list[Any] = [_dense(np.eye(width, whole))] if whole != width else []
    if unit and (appended or not isinstance(modules[-1], Normalize)):
        appended.append(Normalize())
    appended.append(_mapping(maps))
    _pass_on(modules[0], maps.languages)
    model.truncate_dim = None
    for number, module in enumerate([*appended, *([Normalize()] if unit else [])], len(modules)):
        model.add_module(str(number), module.to(model.device))
    assert isinstance(model, torch.nn.Module)
    return model


def has_unit_vectors(model: SentenceTransformer) -> bool:
    """Whether the vectors of a model have length 1, or their lengths do not count."""
    from sentence_transformers.base.modules import Normalize

    return model.similarity_fn_name != "dot" or isinstance(list(model.children())[-1], Normalize)


def routed_languages(model: Any) -> frozenset[str]:
    """The languages that a model has routes for; none for a model that treats all languages alike."""
    return frozenset(
        route.partition("-")[2] for router in _routers(model) for route in router.sub_modules if "-" in route
    )


def task_of(model: Any, task: str, lang: str | None) -> str:
    """The task that takes a text in a language through its route, where a model has one."""
    own = f"{task}-{lang}"
    return own if lang and any(own in router.sub_modules for router in _routers(model)) else task


def _pass_on(first: Any, languages: Sequence[str]) -> None:
    """A router in the place of the encoder takes a task and language as it takes the task."""
    from sentence_transformers.base.modules import Router

    if isinstance(first, Router):
        for task in TASKS.values():
            route = first._resolve_route_name(task=task)
            first.route_mappings |= {(f"{task}-{lang}", None): route for lang in languages}


def _routers(model: Any) -> list[Router]:
    from sentence_transformers.base.modules import Router

    modules = list(model.children())[1:] if hasattr(model, "children") else []
    return [module for module in modules if isinstance(module, Router)]


def _mapping(maps: LanguageMaps) -> Any:
    """One linear layer, or a router with one per task and language."""
    from sentence_transformers.base.modules import Router

    own = {side: maps.sides.get(side) or {EVERY: _nothing(maps.width)} for side in SIDES}
    made: dict[int, list[Any]] = {}  # sides that share a correction share its module

    def linear(correction: Correction) -> list[Any]:
        return made.setdefault(id(correction), [_linear(correction, maps.strength)])

    if len({id(correction) for by_language in own.values() for correction in by_language.values()}) == 1:
        return linear(own["query"][EVERY])[0]
    routes: dict[str, list[Any]] = {}
    for side, by_language in own.items():
        if EVERY in by_language:
            routes[TASKS[side]] = linear(by_language[EVERY])
        else:
            routes[TASKS[side]] = _told(maps.tellers[side], by_language, maps.strength)
            routes |= {f"{TASKS[side]}-{lang}": linear(correction) for lang, correction in by_language.items()}
    return Router(routes, default_route=TASKS["passage"])


def _nothing(width: int) -> Correction:
    return Correction(np.empty((width, 0)), np.zeros(width))


def _linear(correction: Correction, strength: float) -> Dense:
    identity = np.eye(len(correction.offset))
    offset = -strength * correction.offset if correction.offset.any() else None
    return _dense(identity - strength * correction.directions @ correction.directions.T, offset)


def _told(teller: Teller, by_language: Mapping[str, Correction], strength: float) -> list[Dense]:
    """The layers of the head of this module."""
    import torch

    corrections = [by_language[lang] for lang in teller.languages]
    n, width = teller.weight.shape
    wide = n + width
    keep = np.eye(wide, width, -n)  # [0; I]
    first = _dense(
        np.concatenate([_SHARP * teller.weight, np.zeros((width, width))]),
        np.concatenate([_SHARP * teller.bias, np.full(width, _NEVER)]),
        torch.nn.Softmax(),
        residual=keep,
    )
    offsets = np.stack([correction.offset for correction in corrections], axis=1)
    last = np.concatenate([-strength * offsets, np.eye(width)], axis=1)
    directions = np.concatenate([correction.directions for correction in corrections], axis=1)
    if not directions.shape[1]:
        return [first, _dense(last)]
    gate = 2 * teller.longest
    owner = np.repeat(np.arange(n), [correction.directions.shape[1] for correction in corrections])
    along = np.concatenate([np.concatenate([gate * np.eye(n)[owner], sign * directions.T], axis=1) for sign in (1, -1)])
    second = _dense(
        np.concatenate([along, np.zeros((wide, wide))]),
        np.concatenate([np.full(len(along), -gate), np.zeros(wide)]),
        torch.nn.ReLU(),
        residual=np.eye(len(along) + wide, wide, -len(along)),
    )
    removed = [-strength * directions, strength * directions]
    return [first, second, _dense(np.concatenate([*removed, last], axis=1))]


def _dense(
    weight: FloatArray, bias: FloatArray | None = None, activation: Any = None, residual: FloatArray | None = None
) -> Dense:
    """A layer x -> activation(weight x + bias) + residual x, weights of shape (out, in)."""
    import torch
    from sentence_transformers.base.modules import Dense

    outputs, inputs = weight.shape
    layer = Dense(
        inputs,
        outputs,
        bias=bias is not None,
        activation_function=activation or torch.nn.Identity(),
        init_weight=_tensor(weight),
        init_bias=None if bias is None else _tensor(bias),
        use_residual=residual is not None,
    )
    if residual is not None:
        layer.residual.weight = torch.nn.Parameter(_tensor(residual))
    return layer


def _tensor(array: FloatArray | Sequence[float]) -> Any:
    import torch

    return torch.tensor(np.asarray(array), dtype=torch.float32)
