"""Weight averaging."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from isoglot.errors import InputError
from isoglot.models.load import load_model
from isoglot.training.average import average_weights
from tests.training.tiny import tiny_base


def _moved(path: Path, base: Path) -> Path:
    """The base with all weights 1 larger."""
    model = load_model(str(base), device="cpu")
    with torch.no_grad():
        for weight in model.parameters():
            weight += 1.0
    model.save_pretrained(str(path), create_model_card=False)
    return path


@pytest.mark.parametrize("share", [0.0, 0.75, 1.0])
def test_a_share_of_the_way_from_the_base(share: float, tmp_path: Path) -> None:
    base = tiny_base(tmp_path / "tiny")
    trained = _moved(tmp_path / "trained", base)
    average_weights(str(trained), str(base), share, tmp_path / "average")
    start, averaged = (load_model(str(path), device="cpu") for path in (base, tmp_path / "average"))
    before, after = start.state_dict(), averaged.state_dict()
    for name, weight in start.named_parameters():
        assert torch.allclose(after[name], weight + share, atol=1e-6), name
    assert before.keys() == after.keys()
    assert averaged.prompts == start.prompts


def test_models_of_other_shapes_are_refused(tmp_path: Path) -> None:
    from isoglot.models.debias import append_map

    base = tiny_base(tmp_path / "tiny")
    model = append_map(load_model(str(base), device="cpu"), torch.eye(32).double().numpy())
    model.save_pretrained(str(tmp_path / "mapped"), create_model_card=False)
    with pytest.raises(
        InputError, match=r"cannot average .*mapped and .*tiny: tensor '.*' is .* in the other"
    ) as caught:
        average_weights(str(tmp_path / "mapped"), str(base), 0.5, tmp_path / "average")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "average").exists()
