"""The part `processes` of endurance.py: one index, searched by several processes while others change it, or are killed doing so.

The index has 60 documents of one version, or 90; every change is one transaction: all 60 replaced by those of the next version,
30 added, 30 deleted. So an answer of all documents is of one state or it is broken, which can be seen in it: it has 60 or 90
documents, all different, all of one version.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import signal
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from _moments import Child, start
from _server import TOKEN, serving

FEW, ALL = 60, 90
_WAYS: list[dict[str, Any]] = [
    {},
    {"hybrid": True},
    {"fairness": "standardised"},
    {"fairness": "round-robin"},
    {"where": {"kind": "made"}},
]
Ask = Callable[[dict[str, Any]], list[dict[str, Any]]]
"""Options of a search of all documents -> its hits."""


def corpus(home: Path, version: int, numbers: range) -> Path:
    """Documents of a version, each in one of three languages."""
    path = home / f"{version}-{numbers.start}.jsonl"
    rows = [
        {
            "id": f"d{number}",
            "lang": ("de", "en", "zh")[number % 3],
            "text": " ".join(
                f"{('de', 'en', 'zh')[number % 3]}{(number * 7 + version + step) % 60}" for step in range(5)
            ),
            "version": version,
            "kind": "made",
        }
        for number in numbers
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def changes(home: Path, folder: Path) -> Iterator[Callable[[], int]]:
    """One change after the other, without end; each may be done again after a kill."""
    for version in range(1, 10**9):
        yield writing(folder, "--update", str(corpus(home, version, range(FEW))))
        yield writing(folder, "--update", str(corpus(home, version, range(FEW, ALL))))
        yield writing(folder, "--delete", *(f"d{number}" for number in range(FEW, ALL)))


def writing(folder: Path, *words: str) -> Callable[[], int]:
    """`isoglot index` of an index that is there."""
    from isoglot.cli.main import main

    return lambda: main(["index", "--output", str(folder), "--device", "cpu", "--quiet", *words])


def verdict(hits: list[dict[str, Any]]) -> str:
    """ "right", or what is broken."""
    versions, ids = {hit["metadata"]["version"] for hit in hits}, [hit["id"] for hit in hits]
    if len(versions) == 1 and len(ids) in (FEW, ALL) and len({*ids}) == len(ids):
        return "right"
    return f"{len(ids)} hits, {len({*ids})} documents, versions {sorted(versions)}"


def reading(ask: Ask, over: Path, seed: int) -> int:
    """Search until there is a file `over`, and print what came: counts of verdicts and refusals."""
    from isoglot.errors import InputError

    own, counts = random.Random(seed), Counter[str]()
    while not over.exists():
        options = own.choice(_WAYS)
        try:
            counts[verdict(ask(options))] += 1
        except InputError as error:
            is_early = counts["right"] == 0 and ("no index is there" in str(error) or "has no model yet" in str(error))
            counts["not there yet" if is_early else f"refused {options}: {error}"] += 1
            time.sleep(0.05)
    print(json.dumps(counts))
    return 0


def anew(folder: Path, model: Path) -> Ask:
    """Opens the index for every search."""
    from isoglot.models.load import load_model
    from isoglot.retrieval.collection import Collection, Searcher
    from isoglot.retrieval.collection.models import encoder

    encode = encoder(load_model(str(model), device="cpu"))

    def ask(options: dict[str, Any]) -> list[dict[str, Any]]:
        with Collection.open(folder) as collection, Searcher(collection, encode=encode) as searcher:
            return [vars(hit) for hit in searcher.search(["de1 en2 zh3"], 1000, sentences=False, **options)[0].hits]

    return ask


def open_all_the_time(folder: Path, model: Path) -> Ask:
    """Keeps the index open, and looks for changes now and then."""
    from isoglot.models.load import load_model
    from isoglot.retrieval.collection import Collection, Searcher
    from isoglot.retrieval.collection.models import encoder

    encode, kept = encoder(load_model(str(model), device="cpu")), list[Searcher]()

    def ask(options: dict[str, Any]) -> list[dict[str, Any]]:
        if not kept:
            kept.append(Searcher(Collection.open(folder), encode=encode))
        elif random.random() < 0.2:
            kept[0].refresh()
        return [vars(hit) for hit in kept[0].search(["de1 en2 zh3"], 1000, sentences=False, **options)[0].hits]

    return ask


def command(folder: Path, _: Path) -> Ask:
    """`isoglot search`."""
    from isoglot.cli.main import main
    from isoglot.errors import InputError

    def ask(options: dict[str, Any]) -> list[dict[str, Any]]:
        words = ["search", str(folder), "de1 en2 zh3", "-k", "1000", "--json", "--no-sentences", "--device", "cpu"]
        words += ["--hybrid"] * bool(options.get("hybrid"))
        words += ["--fairness", options["fairness"]] if "fairness" in options else []
        words += ["--where", "kind=made"] if "where" in options else []
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(words)
        if code:
            raise InputError(err.getvalue().strip())
        hits: list[dict[str, Any]] = json.loads(out.getvalue())[0]["hits"]
        return hits

    return ask


READERS: dict[str, Callable[[Path, Path], Ask]] = {
    "opens it for every search": anew,
    "keeps it open": open_all_the_time,
    "isoglot search": command,
}


def over_http(port: int) -> Ask:
    """Asks `isoglot serve`."""
    import httpx

    http = httpx.Client(
        base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False, timeout=60
    )

    def ask(options: dict[str, Any]) -> list[dict[str, Any]]:
        answer = http.post("/search", json={"query": "de1 en2 zh3", "k": 100, "sentences": False, **options})
        if answer.status_code != 200:
            raise SystemExit(f"{answer.status_code}: {answer.text}")
        hits: list[dict[str, Any]] = answer.json()["results"][0]["hits"]
        return hits

    return ask


def first_time(model: Path, home: Path, folder: Path, backend: str) -> int:
    """Make the index."""
    from isoglot.retrieval.collection.build import index
    from isoglot.retrieval.collection.settings import CollectionSettings

    asked = CollectionSettings(backend=backend)
    return not index(str(model), str(corpus(home, 0, range(FEW))), folder, asked, progress=False)


def sharing(home: Path, options: Namespace) -> dict[str, Any]:
    """What searches found while one process after the other changed the index, for each backend."""
    from _import_all import import_all

    import_all()
    making = start(lambda: not _tiny(home), home / "making.log", home)
    if making.end():
        raise SystemExit(making.said)
    backends = {backend: _shared(home / backend, home / "model", backend, options) for backend in ("exact", "faiss")}
    return {
        "seconds_each": options.seconds,
        "backends": backends,
        "total": {
            "searches": sum(own["right"] for found in backends.values() for own in found["readers"].values()),
            "changes": sum(found["changes"] for found in backends.values()),
            "killed": sum(found["killed"] for found in backends.values()),
            "broken": sum(own["broken"] for found in backends.values() for own in found["readers"].values()),
        },
        "problems": [problem for found in backends.values() for problem in found.pop("problems")],
    }


def _tiny(home: Path) -> Path:
    from tests.training.tiny import tiny_base

    return tiny_base(home / "model")


def _shared(home: Path, model: Path, backend: str, options: Namespace) -> dict[str, Any]:
    home.mkdir()
    folder, over, own = home / "index", home / "over", random.Random(0)
    children: dict[str, Child] = {}
    for name, make in READERS.items():

        def read(make: Callable[[Path, Path], Ask] = make, seed: int = len(children)) -> int:
            return reading(make(folder, model), over, seed)

        children[name] = start(read, home / f"reader-{len(children)}.log", home)
    made = start(lambda: first_time(model, home, folder, backend), home / "writer.log", home)
    if made.end():
        raise SystemExit(made.said)
    rivals, n, killed, problems = Counter[str](), 0, 0, list[str]()
    with serving(folder, home, "--refresh", "0.1", "--quiet", timeout=30, body_bytes=1 << 20) as served:
        ask = over_http(served.target.port)
        children["isoglot serve"] = start(lambda: reading(ask, over, 9), home / "http.log", home)
        until = time.monotonic() + options.seconds
        for change in changes(home, folder):
            if time.monotonic() > until:
                break
            writer, rival = (
                start(change, home / "writer.log", home),
                start(writing(folder, "--delete", "nobody"), home / "rival.log", home),
            )
            if own.random() < 0.25:
                time.sleep(own.random() * 0.15)
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(writer.pid, signal.SIGKILL)
                killed += writer.end() == -signal.SIGKILL
                writer = start(change, home / "writer.log", home)
            for child, name in ((rival, "rival"), (writer, "writer")):
                code = child.end()
                while code == 2 and "is being written by process" in child.said and name == "writer":
                    rivals["writer refused"] += 1
                    child = start(change, home / "writer.log", home)
                    code = child.end()
                is_refused = code == 2 and child.said.count("\n") == 1 and "is being written by process" in child.said
                rivals[f"{name} {'refused' if is_refused else 'done' if code == 0 else 'failed'}"] += 1
                if code and not is_refused:
                    problems.append(f"{backend}: {name} ended with {code}: {child.said[-300:]}")
            n += 1
        over.touch()
        found = {name: _read(child) for name, child in children.items()}
        other = [line for line in served.lines() if "other" in line or line.get("level") == "error"]
    problems += [
        f"{backend}: {name}: {why} ({n} times)" for name, own in found.items() for why, n in own.pop("why").items()
    ]
    problems += [f"{backend}: serve: {line}"[:300] for line in other[:3]]
    return {
        "readers": found,
        "changes": n,
        "killed": killed,
        "writers": dict(sorted(rivals.items())),
        "problems": problems,
    }


def _read(child: Child) -> dict[str, Any]:
    """Counts of a reader: right answers, refusals before there was an index, all else."""
    code, lines = child.end(), child.said.splitlines()
    if code or not lines:
        return {"right": 0, "not_there_yet": 0, "broken": 1, "why": {f"ended with {code}: {child.said[-300:]}": 1}}
    counts: dict[str, int] = json.loads(lines[-1])
    right, early = counts.pop("right", 0), counts.pop("not there yet", 0)
    return {"right": right, "not_there_yet": early, "broken": sum(counts.values()), "why": counts}
