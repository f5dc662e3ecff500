"""Texts and their translations: taken from the cache where they are there, otherwise made in batches of about one length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from isoglot.bars import tqdm
from isoglot.data.transform.translation.cache import TranslationCache
from isoglot.data.transform.translation.lanes import Task, run
from isoglot.data.transform.translation.segments import rebuilt, segments
from isoglot.data.transform.translators import Direction, Failure, Outcome, Session, Translator
from isoglot.errors import say

_CHARACTERS = 200  # per text of a batch: so many in all that few long texts fill it


@dataclass
class Library:
    """What a translator makes of texts.

    Attributes:
        progress: show on stderr how far it is, in characters, and the time left.
        outcomes: by direction and line.
        taken: lines that the cache had, of all that were asked for, by direction.
    """

    translator: Translator
    progress: bool = True
    outcomes: dict[Direction, dict[str, Outcome]] = field(default_factory=dict)
    taken: dict[Direction, tuple[int, int]] = field(default_factory=dict)

    @cached_property
    def _session(self) -> Session:
        return self.translator.open(self.translator.lanes()[0])

    def translation(self, text: str, direction: Direction) -> Outcome:
        """Of one of the texts that were translated."""
        return rebuilt(text, self.outcomes[direction].__getitem__)

    def translate(self, wanted: Mapping[Direction, Iterable[str]]) -> None:
        """Translate texts; each batch is in the cache before the next is looked at.

        Raises:
            InputError: the translator cannot be used, or the cache cannot be written.
        """
        identity, caches, tasks = self.translator.identity(), {}, []
        for direction, texts in wanted.items():
            lines = dict.fromkeys(line for text in texts for line in segments(text))
            cache = caches[direction] = TranslationCache(identity, direction)
            known = self.outcomes.setdefault(direction, {})
            known.update(cache.known(lines))
            left = [line for line in lines if line not in known]
            self.taken[direction] = (len(lines) - len(left), len(lines))
            say(
                f"{' to '.join(direction)}: {len(lines) - len(left):,} of {len(lines):,} texts (lines, each once) are taken "
                f"from {cache.path}"
            )
            tasks += [Task(batch, direction) for batch in batches(left, self.translator.batch_size)]
        tasks.sort(key=lambda task: -max(map(len, task.texts)))  # what does not fit into memory is found out first
        total = sum(len(text) for task in tasks for text in task.texts)
        with tqdm(
            total=total, desc="translate", unit="char", unit_scale=True, disable=not self.progress or not tasks
        ) as bar:
            for task, outcomes in run(self.translator, tasks, lambda: self._session) if tasks else ():
                made = dict(zip(task.texts, outcomes))
                caches[task.direction].add({text: one for text, one in made.items() if not isinstance(one, Failure)})
                self.outcomes[task.direction].update(made)
                bar.update(sum(map(len, task.texts)))


def batches(texts: Sequence[str], most: int) -> Iterator[list[str]]:
    """Texts sorted by length, the longest first, at most `most` at once and fewer of long ones.

    A batch has at most `most` x 200 characters, each text counted as the longest, or one text.
    """
    batch: list[str] = []
    for text in sorted(texts, key=lambda text: (-len(text), text)):
        if batch and (len(batch) == most or (len(batch) + 1) * len(batch[0]) > most * _CHARACTERS):
            yield batch
            batch = []
        batch.append(text)
    if batch:
        yield batch
