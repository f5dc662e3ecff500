"""One stratum of a plan: the pairs that one kind of batch draws from, dealt out without false negatives."""

from __future__ import annotations

import numpy as np

from isoglot.batching.permutation import Permutation
from isoglot.records import IntArray

_BATCH_ORDER, _GROUP_ORDER, _FILLER = 1, 2, 3


class Stratum:
    """Deals the pairs of a stratum into full batches, epoch after epoch; batch k is computed without the others.

    Pairs of one group (same passage or query) must not share a batch. Think of a pack of cards sorted so that groups lie
    together, dealt round to `batches_per_epoch` players: neighbours go to different players, so a group no larger than the
    number of players never meets in one hand. Groups of equal size are shuffled among themselves in every epoch, their
    members are rotated, and the hands are played in shuffled order. Every pair is dealt once per epoch; hands that
    are short of `batch_size` (when the pairs do not divide evenly) are filled with pairs of groups that are not in the hand.

    Args:
        pairs: int64, shape (n,): pair numbers.
        groups: int64, shape (n,): the group of each pair.
        batch_size: pairs per batch.
        seed: of the plan.
        number: of the stratum in the plan, so that strata shuffle independently.

    Raises:
        ValueError: fewer groups than `batch_size`: no batch without false negatives exists.
    """

    def __init__(self, pairs: IntArray, groups: IntArray, batch_size: int, seed: int, number: int) -> None:
        labels, member = np.unique(groups, return_inverse=True)
        sizes = np.bincount(member)
        if len(labels) < batch_size:
            raise ValueError(f"{len(labels)} groups of pairs are fewer than the batch size {batch_size}")
        order = np.lexsort((member, sizes[member]))
        self._pairs = pairs[order]
        self._groups = groups[order]
        self._class_sizes, counts = np.unique(sizes, return_counts=True)
        self._class_counts = counts.astype(np.int64)
        self._class_starts = np.concatenate([[0], np.cumsum(self._class_sizes * counts)[:-1]]).astype(np.int64)
        self.n_pairs = len(pairs)
        self.n_groups = len(labels)
        self.batch_size = batch_size
        self.batches_per_epoch = max(-(-self.n_pairs // batch_size), int(sizes.max()))
        self._key = (seed, number)

    def batch(self, draw: int) -> IntArray:
        """Pair numbers of the `draw`-th batch that is taken from this stratum, shape (batch_size,)."""
        epoch, turn = divmod(draw, self.batches_per_epoch)
        hand = int(Permutation(self.batches_per_epoch, *self._key, _BATCH_ORDER, epoch)(np.array([turn]))[0])
        places = self._dealt(np.arange(hand, self.n_pairs, self.batches_per_epoch), epoch)
        if len(places) < self.batch_size:
            places = np.concatenate([places, self._fillers(places, epoch, turn)])
        return self._pairs[places]

    def _dealt(self, positions: IntArray, epoch: int) -> IntArray:
        """Places in the sorted pack of the cards that lie at `positions` of this epoch's shuffled pack."""
        classes = np.searchsorted(self._class_starts, positions, side="right") - 1
        places = np.empty_like(positions)
        for number in np.unique(classes):
            chosen = classes == number
            size, start = int(self._class_sizes[number]), int(self._class_starts[number])
            group, member = np.divmod(positions[chosen] - start, size)
            shuffle = Permutation(int(self._class_counts[number]), *self._key, _GROUP_ORDER, epoch, int(number))
            group = shuffle(group)
            # epochs start a group at another member; otherwise its members would always come in the same sequence
            places[chosen] = start + group * size + (member + epoch + group) % size
        return places

    def _fillers(self, places: IntArray, epoch: int, turn: int) -> IntArray:
        """Places of pairs that complete a short hand: of groups that are not in it, each group once."""
        missing = self.batch_size - len(places)
        walk = Permutation(self.n_pairs, *self._key, _FILLER, epoch)
        taken = set(self._groups[places].tolist())
        found: list[int] = []
        start = turn * self.batch_size
        for begin in range(start, start + self.n_pairs, 4 * self.batch_size):
            # the last window may reach past a full round; seeing a pair twice is harmless, its group is taken by then
            window = np.arange(begin, begin + 4 * self.batch_size) % self.n_pairs
            for place in walk(window).tolist():
                group = int(self._groups[place])
                if group not in taken:
                    taken.add(group)
                    found.append(place)
                    if len(found) == missing:
                        return np.array(found, dtype=np.int64)
        raise AssertionError("unreachable: there are at least batch_size groups")
