"""Memory that is predicted before a run: the arithmetic on an invented device, and what becomes of it in a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from isoglot.batching.plan import BatchPlan, PlanSettings
from isoglot.batching.sampler import PlanDataset
from isoglot.errors import InputError, NoRoomError
from isoglot.models.tunings.lora import Lora
from isoglot.training import room, slices
from isoglot.training.collate import Collator
from isoglot.training.room import Device, Line, Load, Room, as_begun, check_auto, decide, least
from isoglot.training.settings import TrainSettings
from isoglot.training.slices import look
from isoglot.training.train import train
from tests.training.crash import train_until
from tests.training.test_train import settings
from tests.training.tiny import info_nce, load_tuned, pair_table

GB = 10**9
DEVICE = Device(GB, GB, 79 * GB, 80 * GB)


def asked(**more: Any) -> TrainSettings:
    return TrainSettings(pairs=("x",), output="y", **{"batch_size": 100, **more})


def with_step(gigabytes: float, device: Device = DEVICE) -> Room:
    """Batches of 100 pairs, 50,000 tokens, take so many gigabytes beside weights and optimizer, half of one for any."""
    line = Line(GB / 2, (gigabytes - 0.5) * GB / 50_000, 0.0)
    return Room(line, device, Load(50_000, 10_000), 1 << 24)


def test_the_line_through_two_passes_is_extended_in_tokens_and_in_scores() -> None:
    def taken(load: Load) -> int:
        return int(3_000_000 + 2_000 * load.tokens + 4 * room.COPIES * 2 * load.scores)

    small, large, whole = Load(1_000, 100), Load(4_000, 1_600), Load(500_000, 1_000_000)
    line = Line.through((small, taken(small)), (large, taken(large)), terms=2)
    assert line.bytes_of(whole) == pytest.approx(taken(whole))
    assert Load(10, 100).times(3) == (30, 900)
    same = Line.through((small, taken(small)), (small, taken(small)), terms=2)
    assert same.bytes_of(small.times(2)) >= taken(small), "where there is no second point it is proportional"


def test_one_line_says_what_a_step_takes() -> None:
    chosen, words = decide(asked(), with_step(19), 1_000, 1, fit=False)
    assert words == "about 21 GB of 80 GB (weights and optimizer 2.0, activations 19)"
    assert chosen == asked()
    _, words = decide(asked(), with_step(82), 1_000, 1, fit=False)
    assert words.endswith(
        "and 79 GB are free: it may not fit; batch_size=72 or grad_cache=39424, which keeps the batch would"
    )
    with pytest.raises(
        NoRoomError, match=r"about 95 GB of 80 GB .* 79 GB are free: give batch_size=64 or grad_cache=34816"
    ):
        decide(asked(), with_step(93), 1_000, 1, fit=False)
    cached, words = decide(asked(grad_cache=5_000), with_step(400), 1_000, 1, fit=False)
    assert cached.grad_cache == 5_000
    assert words.endswith("activations 40)")
    with pytest.raises(NoRoomError, match="grad_cache="):
        decide(asked(grad_cache=5_000), with_step(1_000), 1_000, 1, fit=False)
    with pytest.raises(NoRoomError, match="give a smaller base"):
        decide(asked(), with_step(3, Device(90 * GB, 0, 79 * GB, 80 * GB)), 1_000, 1, fit=False)


@pytest.mark.parametrize("size", [3.0, 19.0, 66.0, 93.0, 400.0])
def test_the_largest_batch_fits_and_the_next_one_does_not(size: float) -> None:
    found = with_step(size)._replace(most_at_once=1 << 24)
    found = found._replace(line=found.line._replace(per_score=50_000.0))
    chosen, words = decide(asked(), found, 100_000, 1, fit=True)
    pairs = chosen.plan.batch_size
    limit = room.FILLED * DEVICE.free
    assert pairs % 8 == 0
    assert found.step(found.load.times(pairs / 100)) <= limit < found.step(found.load.times((pairs + 8) / 100))
    assert words.endswith(f": batch_size={pairs}")
    if size < 100:
        chosen, words = decide(asked(), found, 50, 3, fit=True)
        assert chosen.plan.batch_size == 48
        assert words.endswith(": batch_size=48, the pairs allow no more than 50")
    with pytest.raises(NoRoomError, match="a batch of 8 pairs does not fit"):
        decide(asked(), found, 7, 1, fit=True)


def test_the_most_tokens_at_a_time_fit_and_more_do_not() -> None:
    found = with_step(400)
    chosen, words = decide(asked(grad_cache="auto"), found, 1_000, 1, fit=False)
    tokens = chosen.grad_cache
    assert isinstance(tokens, int)
    assert tokens % 256 == 0
    limit = room.FILLED * DEVICE.free
    assert found.step(found.load, tokens) <= limit < found.step(found.load, tokens + 257)
    assert words.endswith(f": grad_cache={tokens}")
    chosen, words = decide(asked(grad_cache="auto"), with_step(19), 1_000, 1, fit=False)
    assert chosen.grad_cache == 0
    assert words.endswith("as a whole batch fits")
    with pytest.raises(NoRoomError, match="not even 256 tokens"):
        decide(asked(grad_cache="auto"), with_step(4_000_000), 1_000, 1, fit=False)


def test_of_several_processes_the_worst_counts() -> None:
    one, other = with_step(10), with_step(20, Device(2 * GB, GB, 60 * GB, 70 * GB))
    both = least([one, other._replace(load=Load(40_000, 20_000))])
    assert both.load == (50_000, 20_000)
    assert both.device == (2 * GB, GB, 60 * GB, 70 * GB)
    assert both.line == other.line


@pytest.mark.parametrize(("tokens", "strategy"), [(0, "mono"), (0, "multiway"), (40, "cross")])
def test_two_slices_of_the_largest_batch_are_measured(base: Path, tokens: int, strategy: str) -> None:
    """Slices of a real batch go through the real loss; the bytes are invented, and the line finds them again."""
    table = pair_table(80, negatives=True)
    model = load_tuned(str(base), device="cpu")
    loss = info_nce(model, scale=20.0, tokens=tokens)
    steps = PlanDataset(table, BatchPlan(table.index, PlanSettings(strategy=strategy, batch_size=40)), 7, negatives=1)
    collator = Collator(model, 64)
    collator.prepare(steps)
    seen: list[tuple[int, float]] = []

    def measure(columns: Any) -> int:
        value = loss([dict(column) for column in columns])
        value.backward()
        assert bool(value.isfinite())
        load = slices.load_of(loss, columns).at_once(getattr(loss, "tokens", 0), 1 << 24)
        seen.append((len(columns[0]["input_ids"]), load.tokens))
        return int(5_000 + 300 * load.tokens + 4 * room.COPIES * load.scores)

    before = collator.tokens
    found = look(loss, steps, collator, measure, DEVICE)
    assert collator.tokens == before, "nothing of it is a step of the run"
    columns, load = slices.largest_batch(loss, steps, collator)
    assert [rows for rows, _ in seen[:2]] == [16, 16]
    assert seen[2][0] == len(columns[0]["input_ids"]) if strategy != "multiway" else seen[2][0] == 64
    assert found.load == load
    if tokens:
        assert seen[1][1] == seen[2][1] == tokens
    else:
        assert found.line.bytes_of(load) == pytest.approx(5_000 + 300 * load.tokens + 4 * room.COPIES * load.scores)


@pytest.mark.parametrize("lora", [None, Lora(rank=4)])
def test_what_slices_save_for_the_backward_pass_extends_to_the_batch(
    base: Path, monkeypatch: pytest.MonkeyPatch, lora: Lora | None
) -> None:
    """Counted by hooks on what autograd saves: most of what a GPU would allocate, and a CPU can count it too."""
    monkeypatch.setattr(slices, "SLICES", (4, 12))
    table = pair_table(80)
    model = load_tuned(str(base), lora, device="cpu")
    loss = info_nce(model, scale=20.0, chunks=1)
    steps = PlanDataset(table, BatchPlan(table.index, PlanSettings(batch_size=64)), 7)
    collator = Collator(model, 64)
    collator.prepare(steps)
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}

    def measure(columns: Any) -> int:
        saved: dict[int, torch.UntypedStorage] = {}

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in weights:
                saved[storage.data_ptr()] = storage  # kept, so that its place is not another's
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            loss([dict(column) for column in columns])
        return sum(storage.nbytes() for storage in saved.values())

    found = look(loss, steps, collator, measure, DEVICE)
    columns, load = slices.largest_batch(loss, steps, collator)
    counted = measure(columns)
    assert counted == pytest.approx(found.line.bytes_of(load), rel=0.1)


def test_slices_are_of_the_longest_texts_and_whole_rows() -> None:
    mask = torch.tensor([[1, 0, 0], [1, 1, 1], [1, 1, 0], [1, 0, 0]])
    column = {
        "input_ids": mask * 7,
        "attention_mask": mask,
        "lengths": [1, 3, 2, 1],
        "teachers": torch.eye(4),
        "pivot": 2,
    }
    queries, passages, negatives = slices.cut([column, {**column, "lengths": [1, 1, 2, 3]}, column], 2)
    assert queries["lengths"] == [3, 2], "pairs of the most tokens: 4, 4 and 4 of both, the first of them"
    assert passages["lengths"] == [1, 2]
    assert negatives["lengths"] == [3, 2]
    assert queries["teachers"].tolist() == torch.eye(4)[[1, 2]].tolist()
    assert queries["pivot"] == 2
    marked = {**column, "pairs": torch.tensor([0, 0, 1, 1])}
    assert slices.cut([marked, {**marked, "lengths": [1, 1, 2, 3]}], 2)[1]["lengths"] == [3, 2]


def test_on_a_cpu_nothing_is_predicted_and_nothing_can_be_chosen(base: Path, tmp_path: Path) -> None:
    for more, match in (({"grad_cache": "auto"}, "grad_cache=auto measures"), ({"batch_size": 8}, "--fit measures")):
        with pytest.raises(InputError, match=match):
            train(settings(base, tmp_path / "run", **more), table=pair_table(), fit="batch_size" in more, show=False)
    assert not (tmp_path / "run" / "run.json").exists()
    with pytest.raises(InputError, match="--fit or grad_cache, not both"):
        check_auto(asked(grad_cache=100), fit=True)
    assert (
        slices.make_room(asked(), info_nce(load_tuned(str(base), device="cpu"), scale=1.0), None, None, 9, fit=False)
        == asked()
    )  # type: ignore[arg-type]


def test_auto_is_a_word_and_everything_else_a_number() -> None:
    for value, match in (
        ("many", "grad_cache: expected a whole number"),
        (-1, "grad_cache must not be negative"),
        (True, "grad_cache: expected a value other than true"),
    ):
        with pytest.raises(InputError, match=match):
            asked(grad_cache=value)
    assert asked(grad_cache="auto").to_flat()["grad_cache"] == "auto"
    assert asked(grad_cache="100").grad_cache == 100


@pytest.fixture
def chip(monkeypatch: pytest.MonkeyPatch) -> Callable[[Room], None]:
    """A device on which steps take what is invented; the rest of the run is on the CPU."""

    def put(found: Room) -> None:
        def make(given: TrainSettings, loss: Any, steps: Any, collator: Any, most: int, *, fit: bool) -> TrainSettings:
            return decide(given, found, most, 1, fit=fit)[0]

        monkeypatch.setattr("isoglot.training.slices.make_room", make)
        monkeypatch.setattr("isoglot.training.room.best_device", lambda: "cuda")

    return put


def recorded(run: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((run / "run.json").read_text())["asked"]
    return values


def test_a_run_has_the_number_that_was_chosen_and_keeps_it(
    base: Path, tmp_path: Path, chip: Callable[[Room], None]
) -> None:
    chip(Room(Line(0.0, 1.0, 0.0), Device(0, 0, 4_000, 5_000), Load(1_600, 1.0), 1 << 24))
    given = settings(base, tmp_path / "fit", steps=4, save_steps=2)
    assert train(given, table=pair_table(), fit=True, show=False).complete
    assert recorded(tmp_path / "fit")["batch_size"] == 16, "8 pairs take 1,600 of the 3,400 bytes that are filled"
    asked_for = train(
        settings(base, tmp_path / "asked", steps=4, save_steps=2, batch_size=16), table=pair_table(), show=False
    )
    fitted = train(given, table=pair_table(), fit=True, resume=True, show=False)
    assert fitted.outcome["loss_digest"] == asked_for.outcome["loss_digest"]

    given = settings(base, tmp_path / "cached", steps=4, save_steps=2, grad_cache="auto")
    chip(Room(Line(0.0, 1.0, 0.0), Device(0, 0, 400, 500), Load(1_600, 1.0), 1 << 24))
    train_until(3, given, pair_table())
    assert recorded(tmp_path / "cached")["grad_cache"] == 256
    chip(Room(Line(0.0, 1.0, 0.0), Device(0, 0, 4_000, 5_000), Load(1_600, 1.0), 1 << 24))
    resumed = train(given, table=pair_table(), resume=True, show=False)
    assert resumed.complete
    assert recorded(tmp_path / "cached")["grad_cache"] == 256, "another would fit now"


def test_a_run_measures_itself_and_says_it(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole way but for the device: a gigabyte per token, and room for 300."""
    monkeypatch.setattr("isoglot.training.slices.best_device", lambda: "cuda")
    monkeypatch.setattr("isoglot.training.room.best_device", lambda: "cuda")
    monkeypatch.setattr("isoglot.training.room.COPIES", 0)
    monkeypatch.setattr(slices, "gpu", lambda loss: Device(0, 0, 300 * GB, 400 * GB))
    passes: list[int] = []

    def measure_on_gpu(loss: Any, given: TrainSettings) -> Callable[[Any], int]:
        def measure(columns: Any) -> int:
            passes.append(len(columns[0]["input_ids"]))
            return int(GB * min(slices.load_of(loss, columns).tokens, getattr(loss, "tokens", 1 << 30)))

        return measure

    monkeypatch.setattr(slices, "measure_on_gpu", measure_on_gpu)
    given = settings(base, tmp_path / "run", steps=3, batch_size=16)
    with pytest.raises(NoRoomError, match=r"300 GB are free: give batch_size=8"):
        train(given, table=pair_table(), show=False)
    assert not (tmp_path / "run" / "run.json").exists()
    assert passes == [16, 16, 16]
    assert train(given, table=pair_table(), fit=True, show=False).complete
    assert recorded(tmp_path / "run")["batch_size"] == 8
    said = capsys.readouterr().err
    assert said.count(" GB of 400 GB (weights and optimizer 0.0, activations ") == 2, "once to find it, once to say it"
    assert ": batch_size=8\n" in said
    again = train(settings(base, tmp_path / "eight", steps=3, batch_size=8), table=pair_table(), show=False)
    monkeypatch.undo()
    plain = train(settings(base, tmp_path / "plain", steps=3, batch_size=8), table=pair_table(), show=False)
    assert again.outcome["loss_digest"] == plain.outcome["loss_digest"], "what is measured leaves nothing behind"


def test_what_does_not_fit_is_refused_before_anything_is_written(
    base: Path, tmp_path: Path, chip: Callable[[Room], None]
) -> None:
    chip(Room(Line(0.0, 1.0, 0.0), Device(0, 0, 1_000, 1_000), Load(1_600, 1.0), 1 << 24))
    with pytest.raises(NoRoomError, match="a step takes about"):
        train(settings(base, tmp_path / "run"), table=pair_table(), show=False)
    assert not (tmp_path / "run" / "run.json").exists()


def test_a_resumed_run_reads_what_it_was_begun_with() -> None:
    begun = {"batch_size": 48, "grad_cache": 512}
    assert as_begun(asked(grad_cache="auto"), begun, fit=False) == asked(grad_cache=512)
    assert as_begun(asked(), begun, fit=True) == asked(batch_size=48)
    assert as_begun(asked(), begun, fit=False) == asked(), "and is refused, as the settings are others"


def test_cells_of_a_study_say_a_number() -> None:
    from isoglot.study.stages.train import train_values

    assert train_values({"grad_cache": 100}, {}) == {"grad_cache": 100}
    with pytest.raises(InputError, match="grad_cache: give a number"):
        train_values({"grad_cache": "auto"}, {})
