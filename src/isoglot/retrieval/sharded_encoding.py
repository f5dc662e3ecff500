"""Many texts by many workers: a directory of shards, each made once, by whichever engine; see `isoglot.retrieval.encoded`.

    encode_shards("offline:multilingual-e5-small", cut_files(paths, 16_384), Path("vectors"), workers=Workers(8))

What is there already is not encoded again, and the bytes are those that one process makes (see `shard_encoder`). Equal texts
within a shard have one vector; those of two shards may differ in the last bits of float32, as they were in other batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from isoglot.bars import tqdm
from isoglot.disk import make_directory
from isoglot.errors import InputError, say, warn
from isoglot.files import digest_json, write_json
from isoglot.models.resolve import resolve_base
from isoglot.one_writer import locked
from isoglot.processes import in_each, in_first, processes, start, together
from isoglot.retrieval.encode import LABELS
from isoglot.retrieval.encode_engines import ENCODE_ENGINES, EncodeEngine, Workers
from isoglot.retrieval.encoded import META, EncodedShard, EncodedTexts, find_shard, read_meta, tidy_shards, width_of
from isoglot.retrieval.shard_encoder import FORMAT, EncodeSettings, ModelSpec, ShardWork
from isoglot.retrieval.text_shards import TextShard, place_of

PATIENCE = timedelta(days=30)
"""How long a process of a launcher waits for the slowest: no call between them may give up before the work is done."""


class _Todo(NamedTuple):
    """What the first process found: numbers of shards that are not done, and what workers are told."""

    missing: list[int]
    work: ShardWork


def encode_shards(
    model: str | ModelSpec,
    shards: Sequence[TextShard],
    output: str | Path,
    settings: EncodeSettings | None = None,
    *,
    engine: str | None = None,
    workers: Workers | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> EncodedTexts:
    """Encode shards of texts into a directory, as far as they are not there.

    Under a launcher (torchrun) all processes call this with the same shards, and each encodes a slice.

    Args:
        model: a name as `load_model` takes it, or one with a prompt or similarity of its own.
        shards: in order, their rows one after the other (`cut_files`, or `HeldShard` for texts in memory).
        output: the directory; it has one writer at a time. Shards there that are none of these are deleted in the end.
        settings: see `EncodeSettings`.
        engine: one of `ENCODE_ENGINES`; None: `processes` for several workers, else `local`.
        workers: who encodes; None: this process.
        overwrite: replace vectors of another model, of other settings or of none of these texts.
        progress: a bar on stderr.

    Raises:
        InputError: the directory holds vectors of another model, of other settings or of none of these texts; see
            `ShardEncoder.encode`.
        IsoglotError: a worker failed, or died again and again.
    """
    spec = ModelSpec(model) if isinstance(model, str) else model
    settings, workers = settings or EncodeSettings(), workers or Workers()
    chosen, me = choose_engine(engine, workers), start(PATIENCE)
    if isinstance(shards, (str, Path)):
        raise InputError(
            f"'{shards}' is a file: cut it first, encode_shards(model, cut_files('{shards}', size), output)"
        )
    if not shards:
        raise InputError("no text to encode")
    device = "cpu" if chosen.has_workers else workers.device
    loaded = together(lambda: spec.load(settings.kind, device))
    identity = spec.identity(loaded, settings)
    output = Path(output).absolute()
    with ExitStack() as stack:
        in_first(lambda: stack.enter_context(locked(output)))
        todo = in_first(lambda: _begin(spec, identity, shards, output, settings, overwrite))
        own = [shards[number] for number in todo.missing[me.rank :: me.world]]
        if todo.missing and me.first and progress:
            say(f"{len(todo.missing):,} of {len(shards):,} shards to encode, by {chosen.name}: {_who(chosen, workers)}")
        if chosen.has_workers:
            loaded = None  # its memory is theirs
        total, hidden = sum(shard.end - shard.start for shard in own), not (own and progress and me.first)
        with tqdm(total=total, desc=LABELS[settings.kind], disable=hidden, unit="text") as bar:
            in_each(lambda: chosen.run(todo.work, own, workers, bar.update, loaded) if own else None)
        in_first(lambda: _end(todo.work, identity, shards, set(todo.missing)))
    return EncodedTexts.open(output)


def choose_engine(name: str | None, workers: Workers) -> EncodeEngine:
    """The engine of a name, or for so many workers. InputError: it does not go with these, or with a launcher."""
    if name is None:
        name = "processes" if workers.number > 1 else ENCODE_ENGINES.default()
    engine = ENCODE_ENGINES[name]()
    if engine.has_workers and processes().world > 1:
        raise InputError(
            f"engine {name}: under a launcher each process encodes its share; leave --engine and --workers out"
        )
    if not engine.has_workers and workers.number > 1:
        others = [member.name for member in ENCODE_ENGINES if member.has_workers]
        raise InputError(
            f"engine {name} is one process; for {workers.number} workers give --engine {' or '.join(others)}"
        )
    return engine


def _who(engine: EncodeEngine, workers: Workers) -> str:
    number = workers.number if engine.has_workers else processes().world
    return f"{number} {'worker' if number == 1 else 'workers'}, one thread each"


def _begin(
    spec: ModelSpec,
    identity: dict[str, Any],
    shards: Sequence[TextShard],
    output: Path,
    settings: EncodeSettings,
    overwrite: bool,
) -> _Todo:
    """Look at what is there; `meta.json` says from now on whose directory this is."""
    work = ShardWork(spec, digest_json(identity), settings, output)
    make_directory(output)
    before = read_meta(output)
    if before and before["identity"] != identity and not overwrite:
        keys = sorted({*identity, *before["identity"]})
        differ = ", ".join(key for key in keys if before["identity"].get(key) != identity.get(key))
        raise InputError(
            f"{output}: holds vectors of '{before.get('name')}' that differ in {differ}; give another --output, or --overwrite"
        )
    found = [find_shard(output, shard, work.key(shard), settings.dtype, verify=True) for shard in shards]
    missing = [number for number, shard in enumerate(found) if shard is None]
    had = {shard.get("texts") for shard in (before or {}).get("shards", ())}
    if had and had.isdisjoint(shard.digest for shard in shards) and not overwrite:
        raise InputError(f"{output}: holds the vectors of other texts; give another --output, or --overwrite")
    if missing:
        write_json(output / META, {**_head(spec, identity), "complete": False})
    return _Todo(missing, work)


def _head(spec: ModelSpec, identity: dict[str, Any]) -> dict[str, Any]:
    named = {"name": resolve_base(spec.name).stable_name, "kind": identity["kind"], "prompt": identity["prompt"]}
    return {"format": FORMAT, **named, "dtype": identity["dtype"], "identity": identity}


def _end(work: ShardWork, identity: dict[str, Any], shards: Sequence[TextShard], new: set[int]) -> None:
    """Write `meta.json`; then whatever it does not name goes."""
    found: list[EncodedShard] = []
    for number, shard in enumerate(shards):
        done = find_shard(work.output, shard, work.key(shard), work.settings.dtype, verify=False)
        if done is None:
            how = (
                "on a disk that this machine does not see; all must share it" if number in new else "deleted meanwhile"
            )
            raise InputError(f"{work.output}: the shard of {place_of(shard)} is not there: {how}")
        found.append(done)
    facts = {digest_json(shard.facts): shard.facts for shard in found}
    if len(facts) > 1:
        told = "; ".join(", ".join(f"{key} {value}" for key, value in own.items()) for own in facts.values())
        warn(f"{work.output}: shards were encoded in several ways ({told}): their vectors differ in the last digits")
    meta = {
        **_head(work.model, identity),
        "complete": True,
        "n": shards[-1].end,
        "width": width_of(found),
        "encoded": list(facts.values()),
        "shards": [{"texts": shard.digest, **done.names} for shard, done in zip(shards, found)],
    }
    write_json(work.output / META, meta)
    tidy_shards(work.output, {name for shard in found for name in shard.names.values()})
