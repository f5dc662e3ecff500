"""XML of translation tools, read as a stream: nothing beside the file is opened, entities stay, what was read is freed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from isoglot.data.opening import opened
from isoglot.errors import LineError, first_line
from isoglot.optional import needed

LANG = "{http://www.w3.org/XML/1998/namespace}lang"
# inline elements of TMX 1.4b and XLIFF 1.2, 2.0 and 2.1 by what becomes of them; the content of all others is text
_CODES = frozenset(["bpt", "ept", "it", "ut", "bx", "ex", "sc", "ec", "sm", "em", "cp"])
_PLACES = frozenset(["ph", "x"])
_DEEPEST = 100


def elements(path: Path, root: str, names: Collection[str]) -> Iterator[Any | LineError]:
    """The elements of some names, in any namespace, each at its end; it is emptied when the next one is asked for.

    What is wrong with the file is the last that is yielded.

    Args:
        root: name of the outermost element.
        names: elements that do not lie in each other are emptied with all before them; those around them stay until their end.
    """
    etree = needed("lxml.etree", "XLIFF and TMX files need lxml", "bitext")
    with opened(path) as source:
        tags = [f"{{*}}{name}" for name in (root, *names)]
        # no DTD, no network, no entity replaced; without huge_tree libxml2 limits depth, texts and what attributes amplify
        safe = {"load_dtd": False, "no_network": True, "resolve_entities": False, "huge_tree": False}
        parser = etree.iterparse(source, events=("start", "end"), tag=tags, **safe)
        is_checked = False
        try:
            for event, element in parser:
                if not is_checked:
                    _check_document(path, element.getroottree(), root)
                    is_checked = True
                if event == "end" and name_of(element) != root:
                    yield element
                    _free(element)
            if not is_checked:
                raise LineError(path, 1, f"its root is <{name_of(parser.root)}>; expected <{root}>")
        except LineError as problem:
            yield problem
        except (etree.XMLSyntaxError, LookupError, ValueError) as error:
            line = max(1, getattr(error, "lineno", None) or 1)
            yield LineError(path, line, f"not well-formed XML ({first_line(error)})")


def name_of(element: Any) -> str:
    """The name of an element without its namespace; "" for a comment, a processing instruction or an entity."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def plain_text(element: Any, path: Path, depth: int = 0) -> str:
    """The text that a reader sees, without inline markup.

    Codes that begin or end something are left out with their content; one that stands by itself (`<ph/>`, `<x/>`) is its
    equivalent text where the file gives one that is no tag, else a space. The content of all other elements is text.

    Raises:
        LineError: an entity that XML does not know by itself.
    """
    if not len(element):
        return element.text or ""
    if depth > _DEEPEST:
        raise LineError(path, element.sourceline or 1, "elements in each other too deeply")
    texts = [element.text or ""]
    for child in element:
        name = name_of(child)
        if name in _PLACES:
            texts.append(_equivalent(child))
        elif name and name not in _CODES:
            texts.append(plain_text(child, path, depth + 1))
        elif not name and str(child).startswith("&"):
            raise LineError(
                path, element.sourceline or 1, f"entity {child} is not replaced; write the character itself"
            )
        texts.append(child.tail or "")
    return "".join(texts)


def _equivalent(place: Any) -> str:
    text: str = place.get("equiv-text") or place.get("equiv") or ""
    return " " if not text or text.startswith("<") else text


def _check_document(path: Path, tree: Any, root: str) -> None:
    if (found := name_of(tree.getroot())) != root:
        raise LineError(path, 1, f"its root is <{found}>; expected <{root}>")
    internal = tree.docinfo.internalDTD
    if internal is not None and (entities := [entity.name for entity in internal.iterentities()]):
        raise LineError(
            path, 1, f"declares entities ({', '.join(entities)[:80]}), which are not read; write the texts themselves"
        )


def _free(element: Any) -> None:
    """Empty an element and remove what stands before it."""
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]
