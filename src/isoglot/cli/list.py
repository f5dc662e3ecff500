"""`isoglot list`: everything that can be chosen by name, with its settings."""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import Any

from isoglot.cli.common import print_json
from isoglot.registry import Registry, one_line_help
from isoglot.tables import markdown_table

KINDS = {
    "strategies": "isoglot.batching.strategies:STRATEGIES",
    "recipes": "isoglot.training.recipes:RECIPES",
    "negatives": "isoglot.batching.negatives:NEGATIVES",
    "losses": "isoglot.training.losses:LOSSES",
    "tunings": "isoglot.models.tunings:TUNINGS",
    "debiasing": "isoglot.models.debias:DEBIAS_METHODS",
    "stages": "isoglot.study.stages:STAGES",
    "sources": "isoglot.data.pairs.source:SOURCES",
    "lexicons": "isoglot.data.lexicons.registry:LEXICONS",
    "formats": "isoglot.data.documents.format:FORMATS",
    "checks": "isoglot.data.checks.registry:CHECKS",
    "transforms": "isoglot.data.transform.registry:TRANSFORMS",
    "translators": "isoglot.data.transform.translators:TRANSLATORS",
    "benchmarks": "isoglot.data.benchmarks.catalog:BENCHMARKS",
    "measures": "isoglot.evaluation.measures:MEASURES",
    "claims": "isoglot.study.claims.claim:KINDS",
    "fusions": "isoglot.retrieval.fusions:FUSIONS",
    "indexes": "isoglot.retrieval.indexes:INDEXES",
    "encode-engines": "isoglot.retrieval.encode_engines:ENCODE_ENGINES",
    "study-engines": "isoglot.study.engines:STUDY_ENGINES",
    "presets": "isoglot.study.presets:PRESETS",
}
"""Where the registry of each kind is."""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    commands.add_parser(
        "list",
        help="show what can be chosen by name: strategies, losses, tunings, sources, benchmarks, ...",
        description="Show everything that can be chosen by name, with what it is and its settings. Own members of any kind come "
        "from the modules or .py files that the environment variable ISOGLOT_PLUGINS names.",
        fill=_fill,
    )


def _fill(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "kind", nargs="?", choices=list(KINDS), metavar="KIND", help=f"of {', '.join(KINDS)} (default: all)"
    )
    shown = command.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="print JSON")
    shown.add_argument("--markdown", action="store_true", help="print Markdown tables, as in docs/methods.md")
    command.set_defaults(run=_run)


def registry_of_kind(kind: str) -> Registry[Any]:
    """The registry of one of `KINDS`."""
    module, _, name = KINDS[kind].partition(":")
    registry: Registry[Any] = getattr(import_module(module), name)
    return registry


def _run(options: argparse.Namespace) -> int:
    kinds = [options.kind] if options.kind else list(KINDS)
    members = {kind: [_describe(member) for member in registry_of_kind(kind)] for kind in kinds}
    if options.json:
        print_json(members)
    elif options.markdown:
        print("\n\n".join(_markdown(kind, rows) for kind, rows in members.items()))
    else:
        print("\n\n".join(_text(kind, rows) for kind, rows in members.items()))
    return 0


def _describe(member: Any) -> dict[str, Any]:
    """{"name", "form"?, "help", "settings": {key: {"help", "default"}}}.

    A setting without a default is required; the form is how a source of pairs is written.
    """
    settings = {}
    for key, field in getattr(member, "model_fields", {}).items():
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        settings[key] = {
            "help": field.description or "",
            "default": "required" if field.is_required() else str(default),
        }
    form = {"form": member.form} if hasattr(member, "form") else {}
    return {"name": member.name, **form, "help": one_line_help(member), "settings": settings}


def _text(kind: str, rows: list[dict[str, Any]]) -> str:
    width = max((len(row["name"]) for row in rows), default=0)
    lines = [kind]
    for row in rows:
        lines.append(f"  {row['name']:<{width}}  {row['help']}")
        lines += [f"  {'':<{width}}    {row['form']}"] if "form" in row else []
        lines += [
            f"  {'':<{width}}    {key} ({about['default']})  {about['help']}" for key, about in row["settings"].items()
        ]
    return "\n".join(lines)


def _markdown(kind: str, rows: list[dict[str, Any]]) -> str:
    table = [["name", "what it is", "settings (default)"]]
    for row in rows:
        settings = ", ".join(f"`{key}` ({about['default']})" for key, about in row["settings"].items())
        what = f"{row['help']} Written {row['form']}" if "form" in row else row["help"]
        table.append([cell.replace("|", "\\|") for cell in (f"`{row['name']}`", what, settings)])
    return "\n".join([f"## {kind}", "", *markdown_table(table, text_columns=3)])
