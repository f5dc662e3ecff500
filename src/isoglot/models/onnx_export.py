"""A model's encoder as an ONNX graph, also with weights of 8 bits, in a directory like any other. Imports torch when called."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from isoglot.errors import InputError, IsoglotError, first_line
from isoglot.models.limits import transformers_of
from isoglot.models.weights import ONNX_GRAPH, ONNX_STORED
from isoglot.optional import needed
from isoglot.records import FloatArray

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Quantization = Literal["int8", "int8-dynamic"]
"""How weights are stored in 8 bits. Word embeddings have one scale for all in both.

- int8: matrices with a scale for every 32 weights, products in 8 bits with a scale for every 32 numbers of a hidden state
  (onnxruntime's `MatMulNBits`, accuracy level 4).
- int8-dynamic: matrices with a scale for every output; hidden states with one scale for a whole batch (`quantize_dynamic`, what
  sentence-transformers' `export_dynamic_quantized_onnx_model` takes). The vector of a text depends on its batch.
"""
TOLERANCE = 1e-4
"""The largest distance of two vectors of a text that counts as rounding, in lengths of the vector; float32."""
_ONE_FILE = 1_900_000_000  # bytes
_BLOCK, _INT8 = 32, 4
_NEEDS = "to export to ONNX needs the packages onnx, onnxscript and onnxruntime"


def export_onnx(
    model: SentenceTransformer, path: Path, texts: Sequence[str], quantize: Quantization | None = None
) -> FloatArray:
    """Write a model with its encoder as an ONNX graph into an empty directory; `model` itself is then the one that was written.

    All other modules, prompts, tokenizer and settings are written as they are. The graph takes batches of any size and length.

    Args:
        model: on the CPU, in float32.
        texts: some to compare the vectors of, before and after.
        quantize: None for float32.

    Returns:
        The cosine of each text's vector, as query and as passage, with what it was; float64, shape (2 n,).

    Raises:
        InputError: no encoder of texts, or several, or one that the exporter makes no graph of; a package is missing.
        IsoglotError: the graph of a model that was not quantized gives other vectors.
    """
    from isoglot.models.onnx import OnnxEncoder

    for package in ("onnx", "onnxscript", "onnxruntime"):
        needed(package, _NEEDS, "onnx")
    modules = transformers_of(model)
    if len(modules) != 1 or modules[0] is not model[0]:
        raise InputError("a model with one encoder and no routes around it can be exported")
    before = _embed(model, texts)
    graph = path / ONNX_GRAPH
    graph.parent.mkdir(parents=True)
    _write_graph(modules[0], graph)
    if quantize:
        _quantize(graph, quantize)
    modules[0].model = OnnxEncoder(modules[0].config, graph)
    model.save_pretrained(str(path), create_model_card=False)
    after = _embed(model, texts)
    lengths = np.maximum(np.linalg.norm(before, axis=1), 1e-30)
    away = float((np.linalg.norm(after - before, axis=1) / lengths).max(initial=0.0))
    if not quantize and not away <= TOLERANCE:
        raise IsoglotError(
            f"the graph gives other vectors than the model (by {away:.2g} of their length); it is not kept"
        )
    cosines: FloatArray = (after * before).sum(axis=1) / np.maximum(lengths * np.linalg.norm(after, axis=1), 1e-30)
    return cosines


def _embed(model: SentenceTransformer, texts: Sequence[str]) -> FloatArray:
    both = [model.encode_query(list(texts)), model.encode_document(list(texts))]
    return np.concatenate(both).astype(np.float64)


def _write_graph(module: Any, graph: Path) -> None:
    import torch

    encoder = module.model.eval()
    features = module.preprocess(["a", "two words and a half"])
    names = [name for name in ("input_ids", "attention_mask", "token_type_ids") if name in features]
    if not {"input_ids", "attention_mask"} <= set(names):
        raise InputError(
            f"its encoder takes {', '.join(map(str, features))}; token ids and a mask are what can be exported"
        )

    class States(torch.nn.Module):
        """The encoder with the states of its last layer alone."""

        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder

        def forward(self, *inputs: Any) -> Any:
            return self.encoder(**dict(zip(names, inputs)), return_dict=True).last_hidden_state

    sizes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("tokens")}
    with _quiet():
        import onnx_ir

        try:
            program = torch.onnx.export(
                States().eval(),
                tuple(features[name] for name in names),
                input_names=names,
                output_names=["last_hidden_state"],
                dynamic_shapes={"inputs": tuple(sizes for _ in names)},
                dynamo=True,
                verbose=False,
            )
        except Exception as error:  # whatever torch's exporter cannot do with an encoder
            kind = module.config.model_type
            raise InputError(f"torch makes no ONNX graph of this encoder ({kind}): {_reason(error)}") from None
        large = sum(weight.numel() * weight.element_size() for weight in encoder.parameters()) > _ONE_FILE
        # a file of protobuf ends at 2 GiB; sentence-transformers fetches the weights beside a graph from the hub by this name
        onnx_ir.save(program.model, graph, external_data=f"{graph.name}_data" if large else None)


def _quantize(graph: Path, how: Quantization) -> None:
    """Store weight matrices and word embeddings in 8 bits, in place; see `Quantization`."""
    with _quiet():
        import onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic
        from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer

        made = graph.with_name("made.onnx")
        kinds = ["Gather"] if how == "int8" else ["Gather", "MatMul"]
        quantize_dynamic(graph, made, weight_type=QuantType.QInt8, per_channel=True, op_types_to_quantize=kinds)
        model = onnx.load(made)
        if how == "int8":
            blocks = DefaultWeightOnlyQuantConfig(block_size=_BLOCK, is_symmetric=True, accuracy_level=_INT8, bits=8)
            quantizer = MatMulNBitsQuantizer(model, algo_config=blocks)
            quantizer.process()
            model = quantizer.model.model
        onnx.helper.set_model_props(model, {ONNX_STORED: how})
        for path in graph.parent.iterdir():
            path.unlink()
        onnx.save_model(model, graph)


def _reason(error: BaseException) -> str:
    return first_line(error.__cause__ or error)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What exporter and quantizer tell of their steps, on stdout, by warnings and logs, is of no use to who asked for a model."""
    handlers, level, disabled = logging.root.handlers[:], logging.root.level, logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        logging.root.handlers[:] = handlers  # the quantizer's module adds one when it is imported
        logging.root.setLevel(level)
