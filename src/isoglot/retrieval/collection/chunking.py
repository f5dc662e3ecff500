"""Long texts in parts that a model reads whole: cut where sections, paragraphs or sentences end."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

from isoglot.data.document_rows import DocumentRow
from isoglot.optional import needed
from isoglot.retrieval.collection.documents import Chunk

_TITLE = 200
"""Characters of a title, at most, that stand before a chunk."""
_CHARACTERS = 4
"""Of a token, about, where a model's tokenizer cannot be asked."""


class Chunker:
    """Cuts documents.

    Args:
        tokenizer: of the model: one of Hugging Face's fast ones, or any other, whose tokens are then taken for four characters.
        tokens: of a chunk at most, its title included.
    """

    def __init__(self, tokenizer: Any, tokens: int) -> None:
        self._tokenizer: Any = None
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is not None:
            from tokenizers import Tokenizer

            self._tokenizer = Tokenizer.from_str(backend.to_str())
            self._tokenizer.no_truncation()
            self._tokenizer.no_padding()
        self._tokens = tokens
        self._splitter = cache(self._new_splitter)

    @property
    def counts_tokens(self) -> bool:
        """Whether the model's tokens are counted."""
        return self._tokenizer is not None

    def _new_splitter(self, capacity: int) -> Any:
        library = needed("semantic_text_splitter", "long texts are cut by semantic-text-splitter", "index")
        # a splitter that is given a tokenizer copies it: some 50 MB for each capacity
        return library.TextSplitter.from_callback(self._count, capacity)

    def _count(self, text: str) -> int:
        """Tokens of a text."""
        if self._tokenizer is None:
            return -(-len(text) // _CHARACTERS)
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def _size(self, text: str) -> int:
        """Tokens of a text, or its bytes where they are few: no tokenizer makes more tokens of it."""
        size = len(text.encode())
        return size if size <= self._tokens // 4 else self._count(text)

    def chunks(self, document: DocumentRow) -> list[Chunk]:
        """The chunks of a document, at least one; only white space between them is in none."""
        text, title = document.text, front(document.title)
        room = max(self._tokens - (self._size(title) + 1 if title else 0), self._tokens // 4)
        if len(text.encode()) <= room or self._size(text) <= room:
            spans = [(0, len(text))]
        else:
            parts = self._splitter(room).chunk_indices(text)
            spans = [(first, first + len(part)) for first, part in parts]
        return [Chunk(first, last, digest_of(document.lang, title, text[first:last])) for first, last in spans]


def front(title: str) -> str:
    """What of a title stands before every chunk: all, or the beginning of a long one."""
    return title[:_TITLE].strip()


def encoded(title: str, text: str) -> str:
    """What is encoded of a chunk, without the model's prompt: the title, as `front` has it, stands before it."""
    return f"{title}\n{text}" if title and not text.startswith(title) else text


def digest_of(lang: str, title: str, text: str) -> bytes:
    """16 bytes: of a chunk's language (models may treat languages apart) and of what is encoded."""
    whole = f"{lang}\0{encoded(title, text)}"
    return hashlib.blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=16).digest()
