"""The log: one JSON object a line on stderr. Texts of clients are never in it."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

LOGGER = logging.getLogger("isoglot.serving")


def log(event: str, values: Mapping[str, Any], level: int = logging.INFO, error: BaseException | None = None) -> None:
    """A line.

    Args:
        event: what happened, in a word or two.
        values: further fields, plain JSON values.
        error: whose traceback is told.
    """
    LOGGER.log(level, event, extra={"values": values}, exc_info=error)


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "values", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)  # ASCII: whatever is in it moves no terminal's cursor


def start_log(*, quiet: bool = False) -> None:
    """Write lines to stderr, those of the HTTP library among them.

    Args:
        quiet: warnings and errors only.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    own = {LOGGER.name: logging.WARNING if quiet else logging.INFO}
    for name, level in (own | {"uvicorn": logging.WARNING, "asyncio": logging.WARNING}).items():
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
