"""`isoglot push`: a model to the Hugging Face hub, with a card that says what was measured."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isoglot.cli.common import check_new_folder

if TYPE_CHECKING:
    from isoglot.evaluation.published_card import Published
    from isoglot.models.resolve import Base


def add(commands: Any) -> None:
    """Add the command to the parser."""
    commands.add_parser(
        "push",
        help="publish a model on the Hugging Face hub, with a card that carries its evaluation",
        description="Upload the files of a model, and a card with figures and intervals of its results, languages, licence, "
        "base, data, limits and how to load it. Pickles, files of a run and what else belongs to no model are refused; paths of "
        "this machine are shortened to their last part. The login is the hub's own: hf auth login, or HF_TOKEN.",
        epilog="example: isoglot push runs/repaired me/e5-small-repaired --license mit --results results/repaired --dry-run look",
        fill=_fill,
    )


def _fill(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", metavar="MODEL", help="run, or directory of a sentence-transformers model")
    command.add_argument("repo", metavar="REPO", help="on the hub: name, or owner/name")
    command.add_argument(
        "--license", required=True, metavar="ID", help="as the hub calls it: mit, apache-2.0, cc-by-sa-4.0, ..."
    )
    measured = "of this model: folders that isoglot evaluate --output wrote"
    command.add_argument("--results", nargs="+", default=[], metavar="DIR", help=measured)
    base = "hub id of the model that it was made from, or none (default: what was written down when it was made)"
    command.add_argument("--base-model", metavar="ID", help=base)
    spoken = "codes of its languages (default: those of its training pairs, else of --results)"
    command.add_argument("--languages", nargs="+", metavar="L", help=spoken)
    command.add_argument("--private", action="store_true", help="make a repository that others do not see")
    command.add_argument("--message", default="Upload the model with isoglot", metavar="TEXT", help="of the commit")
    command.add_argument("--dry-run", type=Path, metavar="DIR", help="write what would be uploaded there instead")
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    import shutil
    import tempfile

    from isoglot.errors import InputError, say
    from isoglot.evaluation.published_card import write_published
    from isoglot.files import atomic_directory
    from isoglot.hub import in_bytes, push_folder
    from isoglot.models.content import check_apart
    from isoglot.models.publish import copy_published, paths_in, published_files, without_paths
    from isoglot.models.resolve import resolve_base

    base = resolve_base(options.model)
    if base.layout != "sentence-transformers":
        raise InputError(
            f"{options.model}: expected a run or the directory of a sentence-transformers model, with modules.json"
        )
    if options.dry_run:
        check_apart(options.model, options.dry_run)
        check_new_folder(options.dry_run)
    files = published_files(Path(base.location))
    about, systems = _about(options, base)
    with tempfile.TemporaryDirectory() as temporary:
        target = Path(temporary) / "model"
        target.mkdir()
        shortened = copy_published(Path(base.location), [file for file in files if file.name != "README.md"], target)
        card = without_paths(write_published(about, systems), shortened)
        if left := list(paths_in(card)):
            raise InputError(f"README.md would name {left[0]}, a path of this machine")
        (target / "README.md").write_text(card, encoding="utf-8", newline="\n")
        for path in dict.fromkeys(shortened):
            say(f"{path} is called {Path(path).name} in what is published")
        size = in_bytes(sum(path.stat().st_size for path in target.rglob("*") if path.is_file()))
        if options.dry_run:
            with atomic_directory(options.dry_run) as folder:
                shutil.copytree(target, folder, dirs_exist_ok=True)
            print(f"{options.dry_run}: what would be uploaded to {options.repo}: {len(files)} files, {size}")
        else:
            address = push_folder(target, options.repo, private=options.private, message=options.message)
            print(f"{address}: {len(files)} files, {size}")
    return 0


def _about(options: argparse.Namespace, base: Base) -> tuple[Published, list[Any]]:
    """What the card says, and the results in it; the model is loaded once to see whether they are its own."""
    from isoglot.cli.common import quiet
    from isoglot.data.audit.exposures import known_of
    from isoglot.data.audit.trained import trained_of
    from isoglot.data.languages import language
    from isoglot.errors import InputError
    from isoglot.evaluation.matching import one_result
    from isoglot.evaluation.published_card import Published, check_results
    from isoglot.evaluation.results import model_digest
    from isoglot.models.load import load_model

    systems = [one_result(folder) for folder in options.results]
    quiet()
    model = load_model(options.model, device="cpu")
    check_results(systems, model_digest(model))
    record, bases = _record(Path(base.location)), trained_of(model).bases
    languages = options.languages or record.get("data", {}).get("languages") or []
    languages = languages or sorted(
        {lang for system in systems for lang in system.results[0].summary["counts"]["queries"]}
    )
    if not languages:
        raise InputError(f"{options.model}: which languages it is for is written nowhere: say --languages")
    about = Published(
        repo=options.repo,
        license=options.license,
        base=_base_model(options, bases),
        languages=[language(code) for code in languages],
        how=_how(Path(base.location)),
        prompts=dict(model.prompts or {}),
        max_length=int(model.max_seq_length or 0),
        backend=model.get_backend(),
        data=_data(record, trained_of(model).sides),
        known=known_of(bases),
    )
    return about, systems


def _record(folder: Path) -> dict[str, Any]:
    """What the run that a model is of wrote of its pairs, or the repair; {} for another."""
    from isoglot.files import read_json

    if folder.name != "model":
        return {}
    for name in ("run.json", "repair.json"):
        path = folder.parent / name
        if path.is_file() and isinstance(found := read_json(path), dict):
            return found if name == "run.json" else _record_of_repair(found)
    return {}


def _record_of_repair(record: dict[str, Any]) -> dict[str, Any]:
    """The same fields as a run has."""
    pairs = record.get("stages", {}).get("pairs")
    if not isinstance(pairs, dict):
        return {}
    data = {"pairs": pairs["pairs"]["rest"], "languages": pairs["languages"]}
    return {"data": data, "asked": {"pairs": record["asked"]["sources"]}}


def _base_model(options: argparse.Namespace, bases: tuple[str, ...]) -> str:
    """The hub id of the base: as given, else the only one that was written down."""
    from isoglot.errors import InputError
    from isoglot.models.resolve import hub_id

    if options.base_model:
        return "" if options.base_model == "none" else str(options.base_model)
    named = list(dict.fromkeys(map(hub_id, bases)))
    if len(named) != 1:
        raise InputError(
            f"{options.model}: {'several bases are' if named else 'no base is'} written down: say --base-model ID, or none"
        )
    return named[0]


def _how(folder: Path) -> str:
    """How a model was made: what its own card says between its title and the first code."""
    from isoglot.errors import printable
    from isoglot.reading import read_text

    path = folder / "README.md"
    text = read_text(path) if path.is_file() else ""
    body = text.split("---", 2)[2] if text.startswith("---") and text.count("---") > 1 else text
    body = body.partition("```")[0].strip()
    lines = body.splitlines()
    told = "\n".join(lines[1:] if body.startswith("#") else lines).strip()
    # no HTML of whoever made the model goes under the name of who publishes it
    return printable(told, keep="\n").replace("<", "&lt;") or "How it was made is not written down."


def _data(record: dict[str, Any], sides: Any) -> str:
    """What a model was trained on, in sentences."""
    from isoglot.tables import code_span

    words, data = [], record.get("data", {})
    if data:
        asked = record.get("asked", {}).get("pairs") or data["sources"]
        sources = ", ".join(map(code_span, asked))
        words.append(f"{data['pairs']:,} parallel pairs in {', '.join(data['languages'])} from {sources}.")
    if sides:
        words.append(
            "`trained_texts.safetensors` has hashes of the texts that the model was trained or fitted on: whether a text that "
            "one has is among them can be told, the texts cannot be read."
        )
    return " ".join(words) or "What it was trained on, beyond its base, is not written down."
