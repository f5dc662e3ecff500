"""`isoglot serve`: an index as an HTTP service, with a search page."""

from __future__ import annotations

import argparse
import os
from typing import Any


def add(commands: Any) -> None:
    """Add the command to the parser."""
    commands.add_parser(
        "serve",
        help="serve an index: search page, HTTP API, embeddings in OpenAI's form",
        description="Answer searches in an index, and requests for embeddings, over HTTP; / is a search page, /openapi.json "
        "describes the rest. The log goes to stderr, one JSON object for a request, without its texts. SIGTERM and Ctrl+C end "
        "it when what it has begun is done. What isoglot index changes meanwhile is taken in. Needs the extra serve.",
        epilog="example: isoglot serve my-index --model base --model repaired=runs/repaired --port 8000",
        fill=_fill,
    )


def _fill(command: argparse.ArgumentParser) -> None:
    from isoglot.cli.options import add_settings
    from isoglot.serving.settings import TOKEN_VARIABLE, Limits, ServeSettings

    command.add_argument("index", metavar="INDEX", help="a directory that isoglot index wrote")
    models = (
        "serve this model of the index; the first is the default, and none given means all. NAME=MODEL: call the model in "
        "MODEL, whose vectors the index has, by NAME"
    )
    command.add_argument("--model", action="append", default=[], metavar="NAME[=MODEL]", help=models)
    token = (
        f"that clients must send (Authorization: Bearer TEXT); better in the environment variable {TOKEN_VARIABLE}, which other "
        "users of this machine do not see"
    )
    command.add_argument("--token", metavar="TEXT", help=token)
    add_settings(command, ServeSettings, only=("host", "port", "hosts", "title", "device", "refresh"))
    add_settings(command.add_argument_group("limits; what is beyond them is refused"), Limits)
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from isoglot.cli.common import quiet
    from isoglot.cli.options import given_settings
    from isoglot.errors import InputError, is_quiet
    from isoglot.optional import needed
    from isoglot.processes import check_device
    from isoglot.serving.settings import TOKEN_VARIABLE, Limits, ServeSettings
    from isoglot.settings import build

    for module in ("fastapi", "uvicorn", "prometheus_client"):
        needed(module, f"isoglot serve needs {module}", "serve")
    models: dict[str, str] = {}
    for word in options.model:
        name, _, source = word.partition("=")
        if name in models:
            raise InputError(f"--model {word}: another model has this name")
        models[name] = source
    token = options.token if options.token is not None else os.environ.get(TOKEN_VARIABLE) or None
    given = {
        **given_settings(options, ServeSettings),
        "index": options.index,
        "models": models,
        "token": token,
        "limits": given_settings(options, Limits),
    }
    settings = build(ServeSettings, [("option", given)])
    check_device(settings.device)
    quiet()
    from isoglot.serving.logs import start_log
    from isoglot.serving.run import serve

    start_log(quiet=is_quiet())
    serve(settings)
    return 0
