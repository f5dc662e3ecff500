"""What a corpus of 106 million passages, or of a billion, takes: hours, bytes, machines, from measured rates and assumptions.

    python benchmarks/scale_plan.py                                   # the tables of docs/scale.md
    python benchmarks/scale_plan.py --write docs/scale.md             # put them there
    python benchmarks/scale_plan.py --passages 40e6 --width 768 --encoder-parameters 86e6 --tokens 180 --gpus 4 \
        --prices gpu_hour=2.5 core_hour=0.04 disk_gb_month=0.02 memory_gb_hour=0.005

Rates come from `results/speed/`: `speed_cuda.json` (encoding and training on a GPU), `encode_engines.json` (encoding on cores,
reading) and `rank_speed.json` (exact search). Nothing here is measured at that size; a rate is carried over as it is, and by the
number of weights where a model is larger.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isoglot.tables import markdown_table

RESULTS = Path(__file__).parents[1] / "results" / "speed"
MEASURED_WIDTH, MEASURED_PARAMETERS = 384, 12 * 12 * 384**2
"""Of offline:multilingual-e5-small: its vectors, and the weights of its 12 encoder layers (12 h^2 each)."""


@dataclass(frozen=True)
class Corpus:
    """What is to be encoded, and by what.

    Attributes:
        name: in tables.
        passages: how many.
        width: numbers of a vector.
        parameters: weights of the encoder's layers, which decide how long a token takes.
    """

    name: str
    passages: float
    width: int
    parameters: float


LARGE = {"width": 1024, "parameters": 24 * 12 * 1024**2}
CORPORA = (
    Corpus("MIRACL, width 384", 106e6, MEASURED_WIDTH, MEASURED_PARAMETERS),
    Corpus("MIRACL, width 1,024", 106e6, **LARGE),
    Corpus("a billion, width 384", 1e9, MEASURED_WIDTH, MEASURED_PARAMETERS),
    Corpus("a billion, width 1,024", 1e9, **LARGE),
)


@dataclass(frozen=True)
class Assumptions:
    """What is not measured here; each is an option of the command.

    Attributes:
        tokens: of a passage, its prompt included.
        gpus: that encode and train.
        cores: that encode where there are no GPUs.
        shard_size: texts of a file.
        links: M of HNSW: twice as many links per vector in the lowest layer.
        node_memory: bytes of a query node's memory.
        node_share: of it that vectors and links may take.
        disk_rate: bytes per second that one machine reads.
        pairs: that a model is trained on.
    """

    tokens: float = 150
    gpus: int = 8
    cores: int = 1024
    shard_size: int = 16_384
    links: int = 32
    node_memory: float = 256e9
    node_share: float = 0.7
    disk_rate: float = 1e9
    pairs: float = 10e6


@dataclass(frozen=True)
class Rates:
    """What was measured, per second.

    Attributes:
        gpu_tokens: one GPU, with all that goes on around it.
        gpu_tokens_alone: its passes alone, as if texts were tokenised in no time.
        core_tokens: one core that encodes.
        rows: read, checked and cut by one process.
        scores: exact inner products of a batch of 1,000 queries, of width 384.
        pairs: trained on one GPU.
        inserts: vectors that a Milvus server took from one client, its index built; None: not measured.
        places: of these, in words.
    """

    gpu_tokens: float
    gpu_tokens_alone: float
    core_tokens: float
    rows: float
    scores: float
    pairs: float
    inserts: float | None
    places: Mapping[str, str]


def load_rates(folder: Path = RESULTS) -> Rates:
    """Rates from the committed results."""
    gpu, engines, ranks = (_read(folder / f"{name}.json") for name in ("speed_cuda", "encode_engines", "rank_speed"))
    encoded, size = gpu["encode"]["sentences fp32"], ranks["sizes"][-1]
    one = engines["engines"]["one"]
    inserts, there = _inserts(folder / "indexes.json")
    places = {
        "indexes": there,
        "gpu": _place(gpu["encode"]["conditions"]),
        "training": _place(gpu["large"]["conditions"]),
        "cores": _place(engines),
        "search": _place(ranks),
    }
    return Rates(
        gpu_tokens=encoded["tokens"] / encoded["seconds"]["ours"],
        gpu_tokens_alone=encoded["tokens"] / encoded["seconds"]["passes"],
        core_tokens=one["texts_per_second"] * engines["tokens_per_text"],
        rows=engines["reading"]["rows_per_second"],
        scores=ranks["queries"] * size["documents"] / size["sides"]["isoglot"]["median_seconds"],
        pairs=gpu["large"]["compiled"]["pairs_per_second"],
        inserts=inserts,
        places=places,
    )


def _inserts(path: Path) -> tuple[float | None, str]:
    """Vectors a second into a Milvus server, of the largest size that was measured, and where; (None, "") where none was."""
    found = _read(path) if path.is_file() else {"sizes": {}}
    sizes = [int(size) for size, indexes in found["sizes"].items() if "milvus-server" in indexes]
    if not sizes:
        return None, ""
    server = found["sizes"][str(max(sizes))]["milvus-server"]
    seconds = max(sizes) / server["insert_per_second"] + server["build_seconds"]
    return max(sizes) / seconds, _place(found["conditions"])


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _place(conditions: Mapping[str, Any]) -> str:
    """Machine and day of a measurement."""
    machine = conditions["machine"]
    threads = machine["threads"]
    cores = "one core" if threads == 1 else f"{threads} cores"
    what = machine["accelerator"] or f"{cores} of an {machine['processor']}"
    return f"{what}, {conditions['date'][:10]}"


@dataclass(frozen=True)
class Step:
    """One line of a plan.

    Attributes:
        what: is done or kept.
        formula: of `amount`, in words.
        amount: of `unit`.
        unit: one of `UNITS`.
        machines: "8 GPUs: 2.1 h".
    """

    what: str
    formula: str
    amount: float
    unit: str
    machines: str = ""


UNITS = {
    "GPU h": ("gpu_hour", "G"),
    "core h": ("core_hour", "C"),
    "GB of disk": ("disk_gb_month", "D a month"),
    "GB of memory": ("memory_gb_hour", "M an hour"),
}
"""By unit: the name of its price, and what stands for the price in a formula."""


def plan(corpus: Corpus, rates: Rates, asked: Assumptions) -> list[Step]:
    """The steps from texts to answers."""
    n, width = corpus.passages, corpus.width
    slower = corpus.parameters / MEASURED_PARAMETERS
    tokens = n * asked.tokens
    vectors = n * width * 2
    reading = n / rates.rows / 3600
    whole = max(tokens / rates.gpu_tokens, tokens * slower / rates.gpu_tokens_alone) / 3600
    alone = tokens * slower / rates.gpu_tokens_alone / 3600
    cores = tokens * slower / rates.core_tokens / 3600
    shards = -(-n // asked.shard_size)
    query = n / (rates.scores * MEASURED_WIDTH / width)
    steps = [
        Step("read, check and cut", "passages / rows per second", reading, "core h", f"one process: {_hours(reading)}"),
        Step(
            "encode, as measured",
            "the longer of passages x tokens / rate with tokenising, and of the next line",
            whole,
            "GPU h",
            f"{asked.gpus} GPUs: {_hours(whole / asked.gpus)}",
        ),
        Step(
            "encode, where tokenising keeps up",
            "passages x tokens x weights / rate of passes alone",
            alone,
            "GPU h",
            f"{asked.gpus} GPUs: {_hours(alone / asked.gpus)}",
        ),
        Step(
            "encode without GPUs",
            "passages x tokens x weights / rate of a core",
            cores,
            "core h",
            f"{asked.cores:,} cores: {_hours(cores / asked.cores)}",
        ),
        Step(
            "vectors, float16",
            "passages x width x 2 bytes",
            vectors / 1e9,
            "GB of disk",
            f"{2 * shards:,.0f} files; read once at {asked.disk_rate / 1e9:g} GB/s: {_hours(vectors / asked.disk_rate / 3600)}",
        ),
        Step(
            "exact search, no index",
            "the vectors, mapped; passages x 1,000 queries / scores per second",
            vectors / 1e9,
            "GB of memory",
            f"2 cores: {_hours(1000 * query / 3600)} for 1,000 queries at once",
        ),
    ]
    for name, size in (("float32", 4), ("float16", 2)):
        memory = n * hnsw_bytes(width, size, asked.links)
        nodes = -(-memory // (asked.node_memory * asked.node_share))
        steps.append(
            Step(
                f"HNSW in memory, {name}",
                f"passages x ({size} x width + links)",
                memory / 1e9,
                "GB of memory",
                f"{nodes:,.0f} query node{'s' * (nodes > 1)} of {asked.node_memory / 1e9:g} GB",
            )
        )
    if rates.inserts:
        hours = n / rates.inserts / 3600
        steps.append(
            Step(
                "into Milvus, by one client",
                "passages / vectors per second",
                hours,
                "core h",
                f"one client: {_hours(hours)}",
            )
        )
    return steps


def hnsw_bytes(width: int, size: int, links: int) -> float:
    """Bytes of one vector in HNSW: its numbers, its id, and 4 bytes for every link.

    In the lowest layer it has up to 2 M links and their count; it is in 1 / (M - 1) further layers on average (each holds one of
    M vectors of the one below), with M links and a count in each (Malkov and Yashunin 2018, arXiv 1603.09320, section 4.2.3).
    """
    return size * width + 8 + 4 * (2 * links + 1) + 4 * (links + 1) / (links - 1)


def _hours(hours: float) -> str:
    if hours < 1 / 60:
        return f"{hours * 3600:.2g} s"
    if hours < 1:
        return f"{hours * 60:.0f} min"
    return f"{hours:,.1f} h" if hours < 48 else f"{hours / 24:,.1f} days"


def amount_of(step: Step) -> str:
    """Its amount with its unit."""
    return f"{step.amount:,.{0 if step.amount >= 100 else 1}f} {step.unit}"


def cost_of(step: Step, prices: Mapping[str, float]) -> str:
    """The amount times the reader's price, or the letter that stands for it."""
    name, letter = UNITS[step.unit]
    return f"{step.amount * prices[name]:,.2f}{letter[1:]}" if name in prices else f"{step.amount:,.1f} x {letter}"


def plan_table(
    corpora: Sequence[Corpus], rates: Rates, asked: Assumptions, prices: Mapping[str, float] | None = None
) -> list[str]:
    """Markdown: steps by corpora, each with amount, machines and, with prices, cost."""
    plans = [plan(corpus, rates, asked) for corpus in corpora]
    rows = [["step", *(corpus.name for corpus in corpora)]]
    for steps in zip(*plans):
        cells = []
        for step in steps:
            cost = f"; {cost_of(step, prices)}" if prices else ""
            cells.append(f"{amount_of(step)}{cost} ({step.machines})")
        rows.append([steps[0].what, *cells])
    return list(markdown_table(rows, text_columns=len(rows[0])))


def formula_table(asked: Assumptions, rates: Rates) -> list[str]:
    """Markdown: of every step what is multiplied, and what its price is."""
    rows = [["step", "amount", "cost"]]
    steps = plan(CORPORA[0], rates, asked)
    rows += [[step.what, step.formula, f"{step.unit} x {UNITS[step.unit][1]}"] for step in steps]
    train = asked.pairs / rates.pairs / 3600
    rows.append(
        ["train", f"pairs x epochs / rate: {asked.pairs / 1e6:g} million pairs once take {_hours(train)}", "GPU h x G"]
    )
    return list(markdown_table(rows, text_columns=3))


def rates_table(rates: Rates) -> list[str]:
    """Markdown: the rates that all of it rests on."""
    gpu, cores, search = (rates.places[key] for key in ("gpu", "cores", "search"))
    rows = [
        ["rate", "a second", "where"],
        ["encode on a GPU, tokenising in the same process", f"{rates.gpu_tokens:,.0f} tokens", gpu],
        ["passes on that GPU alone", f"{rates.gpu_tokens_alone:,.0f} tokens", gpu],
        [
            "train on it, batches of 1,024 paragraphs, full, compiled",
            f"{rates.pairs:,.0f} pairs",
            rates.places["training"],
        ],
        ["encode on one core", f"{rates.core_tokens:,.0f} tokens", cores],
        ["read, check and cut JSON lines", f"{rates.rows:,.0f} rows", cores],
        ["exact search, 1,000 queries at once, width 384", f"{rates.scores / 1e6:,.0f} million scores", search],
    ]
    if rates.inserts:
        rows.append(
            [
                "insert into a Milvus server and build HNSW, width 384",
                f"{rates.inserts:,.0f} vectors",
                rates.places["indexes"],
            ]
        )
    return list(markdown_table(rows, text_columns=3))


def engines_table(folder: Path = RESULTS) -> list[str]:
    """Markdown: the engines beside each other."""
    found = _read(folder / "encode_engines.json")
    alone = found["engines"]["one"]["texts_per_second"]
    rows = [["engine", "workers", "texts/s", "times one process", "first shard after", "whole command"]]
    for name, figures in found["engines"].items():
        workers = 1 if name == "one" else found["workers"]
        times = f"{figures['texts_per_second'] / alone:.2f}"
        seconds = [f"{figures[key]:.1f} s" for key in ("seconds_to_first_shard", "seconds")]
        rows.append([name, str(workers), f"{figures['texts_per_second']:,.1f}", times, *seconds])
    size = f"{found['texts']:,} sentences of {found['tokens_per_text']:g} tokens in shards of {found['shard_size']}"
    told = f"{size}, `{found['model']}`, one thread per worker; {_place(found)}."
    return [*markdown_table(rows, text_columns=1), "", told]


def parts(asked: Assumptions, folder: Path = RESULTS) -> dict[str, str]:
    """By name, the parts of docs/scale.md that are made here."""
    rates = load_rates(folder)
    made = {
        "engines": engines_table(folder),
        "rates": rates_table(rates),
        "plan": plan_table(CORPORA, rates, asked),
        "formulas": formula_table(asked, rates),
    }
    return {name: "\n".join(lines) for name, lines in made.items()}


def filled(page: str, made: Mapping[str, str]) -> str:
    """A page with its parts put between `<!-- name -->` and `<!-- /name -->`. ValueError: it has no place for one."""
    for name, text in made.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not pattern.search(page):
            raise ValueError(f"no <!-- {name} --> in the page")
        page = pattern.sub(lambda match, text=text: f"{match[1]}{text}\n{match[2]}", page)
    return page


def prices_of(words: Sequence[str]) -> dict[str, float]:
    """`gpu_hour=2.5` and so on. SystemExit for another name, or no number."""
    known = [name for name, *_ in UNITS.values()]
    found = {}
    for word in words:
        name, _, value = word.partition("=")
        if name not in known or not re.fullmatch(r"[0-9]+(\.[0-9]+)?", value):
            raise SystemExit(f"--prices {word}: expected NAME=NUMBER with one of {', '.join(known)}")
        found[name] = float(value)
    return found


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=float, help="a corpus of your own instead of the four")
    parser.add_argument("--width", type=int, default=MEASURED_WIDTH)
    parser.add_argument("--encoder-parameters", type=float, default=MEASURED_PARAMETERS, help="of its layers")
    for name, default in vars(Assumptions()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    parser.add_argument("--prices", nargs="+", default=[], metavar="NAME=NUMBER", help="of a unit, to see costs")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the tables into this page")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    asked = Assumptions(**{name: getattr(options, name) for name in vars(Assumptions())})
    if options.write:
        options.write.write_text(filled(options.write.read_text(encoding="utf-8"), parts(asked)), encoding="utf-8")
        return 0
    own = Corpus("yours", options.passages or 0, options.width, options.encoder_parameters)
    corpora = (own,) if options.passages else CORPORA
    print("\n".join(plan_table(corpora, load_rates(), asked, prices_of(options.prices))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
