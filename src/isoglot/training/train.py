"""From settings to a trained model: the whole path on one page."""

from __future__ import annotations

import gc
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isoglot.data.pairs.table import PairTable
from isoglot.disk import writing
from isoglot.errors import InputError, say
from isoglot.models.content import content_of
from isoglot.processes import best_device, in_first, on_cpu, processes, start, together
from isoglot.training.data import datasets, load_data
from isoglot.training.room import as_begun, check_auto
from isoglot.training.rundir import RunDirectory, describe_table
from isoglot.training.settings import TrainSettings
from isoglot.training.trackers import check_trackers, following, project, reported, run_name

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from isoglot.batching.sampler import PlanDataset
    from isoglot.training.collate import Collator
    from isoglot.training.loss import BatchLoss


@dataclass(frozen=True)
class TrainResult:
    """Where a run is and how it went.

    Attributes:
        path: the run directory.
        complete: False where the run was interrupted; it can be resumed.
        steps: optimizer steps done.
        outcome: what run.json says under "outcome" (empty while incomplete).
    """

    path: Path
    complete: bool
    steps: int
    outcome: dict[str, Any]

    @property
    def model(self) -> Path:
        """The directory of the trained model; there is none while incomplete."""
        return self.path / "model"

    def __str__(self) -> str:
        """The line that `isoglot train` prints."""
        if not self.complete:
            return f"{self.path}: interrupted after step {self.steps}"
        first, last = self.outcome["first_loss"], self.outcome["last_loss"]
        return f"{self.model}: {self.steps} steps in {self.outcome['seconds']:.0f} s, loss {first:.4f} -> {last:.4f}"


def train(
    settings: TrainSettings,
    *,
    table: PairTable | None = None,
    resume: bool = False,
    overwrite: bool = False,
    data_dir: str | Path | None = None,
    show: bool = True,
    fit: bool = False,
) -> TrainResult:
    """Train a retriever and write its run directory.

    Args:
        settings: see `TrainSettings`. Under a launcher (torchrun) every process calls this with the same ones, and gets the
            same result; the first one writes.
        table: the pairs, when they are loaded already (must be what `settings.pairs` names).
        resume: go on from the last checkpoint in `settings.output`; same settings give the same model as an unbroken run.
        overwrite: throw away a run that is there, but nothing that it did not write.
        data_dir: where named LAReQA folders are looked for first.
        show: a progress bar on stderr.
        fit: take the largest batch, a multiple of 8, that fits on the GPU, instead of `batch_size`; run.json has the number, and
            a run that is resumed keeps it.

    Raises:
        NoRoomError: a step takes clearly more memory than the GPU has free.
        InputError: settings, pairs, model or directory that cannot be used; nothing is written then. Another process that
            writes there is named.
        OtherProcessError: another process raised one.
    """
    me = start()
    me.check(settings.plan.batch_size)
    check_trackers(settings.report_to)
    show = show and me.first
    run = RunDirectory(Path(settings.output))
    with ExitStack() as writer:
        in_first(lambda: writer.enter_context(run.locked()))
        begun = in_first(run.read) if resume else None
        if begun:
            settings, fit = as_begun(settings, begun["asked"], fit=fit), False
        check_auto(settings, fit=fit)
        outcome = in_first(lambda: run.check(settings, resume=resume, overwrite=overwrite))
        if outcome is not None:
            in_first(run.drop_checkpoints)
            return TrainResult(run.path, True, outcome["steps"], outcome)
        return _train(settings, run, table, overwrite, None if data_dir is None else Path(data_dir), show, fit)


def _train(
    settings: TrainSettings,
    run: RunDirectory,
    table: PairTable | None,
    overwrite: bool,
    data_dir: Path | None,
    show: bool,
    fit: bool,
) -> TrainResult:
    """Train in a run directory that is locked and checked."""
    from isoglot.training.teacher import Marker

    data = together(lambda: load_data(settings, table, data_dir))
    steps = settings.total_steps(data.plan.steps_per_epoch)
    model, about_base, loss = together(lambda: _model(settings, data.table))
    content = in_first(lambda: content_of(settings.base))
    marks = Marker(settings, data.table, model, content)
    documents = settings.negatives.uses_documents
    facts = {
        "steps": steps,
        "data": describe_table(data.table, documents=documents),
        "base": {**about_base, **content},
        **({"teacher": marks.about} if marks.about else {}),
        **({"strategy": files} if (files := settings.plan.strategy.content()) else {}),
        **({"validation": describe_table(data.validation, documents=documents)} if data.validation else {}),
        "processes": processes().world,
        "device": model.device.type,
    }
    in_first(lambda: run.agree(facts, overwrite=overwrite))
    speaks = processes().first and not fit  # what is done to find the size of a batch is done again with it
    if speaks and (note := settings.negatives.note(data.table)):
        say(f"negatives: {note}")
    for note in data.plan.notes(data.table) if speaks else ():
        say(f"{settings.plan.strategy.name}: {note}")
    import torch

    from isoglot.training.collate import Collator
    from isoglot.training.distributed import any_process, sum_processes
    from isoglot.training.ending import end
    from isoglot.training.progress import allocated
    from isoglot.training.slices import make_room

    began = time.perf_counter()
    collator = Collator(model, settings.max_length, marks=marks)
    read = together(lambda: datasets(settings, data, steps, collator, show))
    marks.prepare(filter(None, read), show=show)
    chosen = make_room(settings, loss, read[0], collator, data.plan.most_pairs, fit=fit)
    if fit:  # another plan: from the beginning
        del model, loss, collator, marks, read
        gc.collect()  # what refers to itself in the model lies on the device until then
        torch.cuda.empty_cache()
        return _train(chosen, run, table, overwrite, data_dir, show, False)
    if chosen.grad_cache != settings.grad_cache:
        settings, loss = chosen, _loss(model, chosen, unpadded=loss.unpadded is not None)
    in_first(lambda: run.begin(settings, facts, overwrite=overwrite))  # what can be wrong with the input was met by now
    record = in_first(run.read) or {}
    with writing(run.path), following(settings.report_to, run.path, record):
        trainer, stop = _trainer(settings, run, loss, read, steps, collator, show, record)
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        with stop:
            checkpoint = in_first(run.last_checkpoint)
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if any_process(stop.stopped):
        return TrainResult(run.path, False, trainer.state.global_step, {})
    tokens = sum_processes(collator.tokens)
    trainer.watch.check_weights(trainer.state.global_step)
    # without what mixed precision has put around its forward passes
    trained = trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=False)
    passes = {"unpadded": True} if loss.unpadded is not None else {}
    took = {"seconds": round(time.perf_counter() - began, 2), **allocated(), **passes}
    outcome = in_first(lambda: end(settings, run, trainer, trained, data, tokens, took))
    return TrainResult(run.path, True, trainer.state.global_step, outcome)


def _model(settings: TrainSettings, table: PairTable) -> tuple[SentenceTransformer, dict[str, Any], BatchLoss]:
    """(the model to be trained, what run.json says of its base, the loss with its forward passes); nothing is written before."""
    from isoglot.training.agreement import check_base, sample_texts
    from isoglot.training.prepare import prepare

    model, about = prepare(settings)
    if settings.compile and settings.unpadded and model.device.type != "cuda":
        raise InputError(
            "give unpadded or compile, not both: on a CPU torch does not compile attention without padding"
        )
    texts = sample_texts(table)
    # a graph of a whole pass is what fills a GPU; on a CPU padded passes are faster
    wanted = settings.unpadded is None and not settings.chunks and model.device.type == "cuda"
    for unpadded in (True, False) if wanted else (bool(settings.unpadded),):
        try:
            loss = _loss(model, settings, unpadded=unpadded)
            check_base(model, loss, settings, texts)
            break
        except InputError as error:
            if not (wanted and unpadded):
                raise
            say(f"{error}; it is trained with padding")
    return model, about, loss


def _loss(model: SentenceTransformer, settings: TrainSettings, *, unpadded: bool) -> BatchLoss:
    """Without gradient caching as long as it is to be chosen."""
    from isoglot.training.gradcache import CachedBatchLoss
    from isoglot.training.loss import BatchLoss

    if isinstance(settings.grad_cache, int) and settings.grad_cache:
        return CachedBatchLoss(model, settings.loss, tokens=settings.grad_cache, unpadded=unpadded)
    return BatchLoss(model, settings.loss, chunks=settings.chunks, unpadded=unpadded)


def _trainer(
    settings: TrainSettings,
    run: RunDirectory,
    loss: BatchLoss,
    read: tuple[PlanDataset, PlanDataset | None],
    steps: int,
    collator: Collator,
    show: bool,
    record: dict[str, Any],
) -> tuple[Any, Any]:
    from transformers import EarlyStoppingCallback
    from transformers.trainer_callback import PrinterCallback, ProgressCallback

    from isoglot.training.distributed import seed_process
    from isoglot.training.progress import Progress, StopOnSignal
    from isoglot.training.trainer import PlanTrainer

    training, validation = read
    stop = StopOnSignal()
    callbacks = [Progress(run.log, collator, settings.plan.batch_size, show=show), stop]
    if settings.patience:
        callbacks.append(EarlyStoppingCallback(settings.patience))
    arguments = _arguments(settings, run, steps, record, validate=validation is not None)
    given: dict[str, Any] = {"train_steps": training, "eval_steps": validation, "collator": collator, "log": run.log}
    trainer = PlanTrainer(model=loss.model, args=arguments, loss=loss, callbacks=callbacks, **given)
    # both print to stdout, which is for results
    for noisy in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(noisy)
    seed_process(settings.plan.seed)
    return trainer, stop


def _log_steps() -> int:
    """Steps between lines of the log where none are asked for: reading a loss makes a GPU wait."""
    return 10 if best_device() == "cuda" else 1


def _arguments(
    settings: TrainSettings, run: RunDirectory, steps: int, record: dict[str, Any], *, validate: bool
) -> Any:
    import torch
    from sentence_transformers import SentenceTransformerTrainingArguments

    from isoglot.training.prepare import bf16

    eval_steps = settings.eval_steps or max(1, steps // 10)
    return SentenceTransformerTrainingArguments(
        output_dir=str(run.checkpoints),
        max_steps=steps,
        per_device_train_batch_size=settings.plan.batch_size // processes().world,
        per_device_eval_batch_size=settings.plan.batch_size // processes().world,
        use_cpu=best_device() == "cpu" or (processes().world > 1 and on_cpu()),
        learning_rate=settings.peak_learning_rate(),
        lr_scheduler_type="linear",
        warmup_steps=settings.warmup,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_gradient_norm,
        bf16=bf16(settings.precision),
        seed=settings.plan.seed,
        logging_strategy="steps",
        logging_steps=settings.log_steps or min(_log_steps(), steps),
        logging_nan_inf_filter=False,  # it would wait for the device at every step
        save_strategy="steps",
        # the best checkpoint can only be one that was validated
        save_steps=eval_steps if validate else settings.save_steps or max(20, steps // 10),
        # older ones are deleted by `isoglot.training.checkpoints.rotate`
        eval_strategy="steps" if validate else "no",
        eval_steps=eval_steps,
        load_best_model_at_end=validate,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        report_to=reported(settings.report_to),
        run_name=run_name(run.path, record),
        project=project(),
        disable_tqdm=True,
        dataloader_pin_memory=torch.cuda.is_available(),
        dataloader_drop_last=True,  # our loaders do not read it; without it several processes would be warned
    )
