"""What schemathesis cannot know: a code has to be one of a language, for which there is no pattern."""

from __future__ import annotations

from typing import Any

import schemathesis


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Put a language in the place of letters that are none."""
    if isinstance(body, dict):
        if isinstance(body.get("languages"), list):
            body["languages"] = ["de" if isinstance(code, str) else code for code in body["languages"]]
        if isinstance(body.get("query_language"), str):
            body["query_language"] = "en"
    return body
