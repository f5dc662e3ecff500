"""One stratum of a plan: the pairs that one kind of batch draws from, dealt out without false negatives."""

from __future__ import annotations

import numpy as np

from isoglot.batching.permutation import Permutation
from isoglot.data.pairs.index import DealOrder
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
        order: the stratum's pairs, sorted by the size of their group, then by group.
        groups: shape (n_pairs,): the group of every pair of the table.
        batch_size: pairs per batch.
        seed: of the plan.
        number: of the stratum in the plan, so that strata shuffle independently.

    Raises:
        ValueError: fewer groups than `batch_size`: no batch without false negatives exists.
    """

    def __init__(self, order: DealOrder, groups: IntArray, batch_size: int, seed: int, number: int) -> None:
        self.n_pairs = len(order.pairs)
        self.n_groups = order.n_groups
        if self.n_groups < batch_size:
            raise ValueError(f"{self.n_groups} groups of pairs are fewer than the batch size {batch_size}")
        self._pairs = order.pairs
        self._groups = groups
        self._class_sizes = order.class_sizes
        self._class_counts = order.class_counts
        self._class_ends = np.cumsum(order.class_sizes * order.class_counts)
        self.batch_size = batch_size
        self.batches_per_epoch = max(-(-self.n_pairs // batch_size), int(order.class_sizes[-1]))
        self._key = (seed, number)

    def batch(self, draw: int) -> IntArray:
        """Pair numbers of the `draw`-th batch that is taken from this stratum, int64, shape (batch_size,)."""
        epoch, turn = divmod(draw, self.batches_per_epoch)
        hand = Permutation(self.batches_per_epoch, *self._key, _BATCH_ORDER, epoch).at(turn)
        places = self._dealt(np.arange(hand, self.n_pairs, self.batches_per_epoch), epoch)
        pairs = self._pairs[places].astype(np.int64, copy=False)
        if len(pairs) < self.batch_size:
            pairs = np.concatenate([pairs, self._fillers(pairs, epoch, turn)])
        return pairs

    def _dealt(self, positions: IntArray, epoch: int) -> IntArray:
        """Places in the sorted pack of the cards that lie at `positions` (ascending) of this epoch's shuffled pack."""
        places = np.empty_like(positions)
        begins = np.searchsorted(positions, self._class_ends).tolist()
        begin = 0
        for number, end in enumerate(begins):
            if end == begin:
                continue
            size, count = int(self._class_sizes[number]), int(self._class_counts[number])
            start = int(self._class_ends[number]) - size * count
            shuffle = Permutation(count, *self._key, _GROUP_ORDER, epoch, number)
            if size == 1:
                places[begin:end] = start + shuffle(positions[begin:end] - start)
            else:
                group, member = np.divmod(positions[begin:end] - start, size)
                group = shuffle(group)
                # epochs start a group at another member; otherwise its members would always come in the same sequence
                places[begin:end] = start + group * size + (member + epoch + group) % size
            begin = end
        return places

    def _fillers(self, pairs: IntArray, epoch: int, turn: int) -> IntArray:
        """Pairs that complete a short hand: of groups that are not in it, each group once."""
        missing = self.batch_size - len(pairs)
        walk = Permutation(self.n_pairs, *self._key, _FILLER, epoch)
        taken = set(self._groups[pairs].tolist())
        fillers: list[int] = []
        begin, end = turn * self.batch_size, turn * self.batch_size + self.n_pairs
        width = 16 + 2 * missing  # most hands are short of one pair, and most pairs fit
        while begin < end:
            # the last window may reach past a full round; seeing a pair twice is harmless, its group is taken by then
            window = self._pairs[walk(np.arange(begin, begin + width) % self.n_pairs)]
            for pair, group in zip(window.tolist(), self._groups[window].tolist()):
                if group not in taken:
                    taken.add(group)
                    fillers.append(pair)
                    if len(fillers) == missing:
                        return np.array(fillers, dtype=np.int64)
            begin += width
            width = min(2 * width, 4 * self.batch_size)
        raise AssertionError("unreachable: there are at least batch_size groups")
