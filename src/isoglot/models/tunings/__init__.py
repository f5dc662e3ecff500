"""Tunings: which weights of a model are trained, and what is saved of them.

A new tuning is one file here (or in a plugin, see `isoglot.registry`): a registered subclass of `Tuning`. Its settings are
written under its name: `tuning: lora, lora: {rank: 8}`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from isoglot.models.mean import take_mean
from isoglot.registry import Registry
from isoglot.settings import Member

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class Tuning(Member):
    """A way to train a model.

    Attributes:
        learning_rate: the peak where none is asked for.
        trains_embeddings: whether the word embeddings are trained (unless they are frozen).
        title: in prose: "trained by ...".
    """

    learning_rate: ClassVar[float]
    trains_embeddings: ClassVar[bool] = True
    title: ClassVar[str]

    def prepare(self, model: SentenceTransformer) -> None:
        """Make the weights to be trained trainable, and no others, in place.

        Raises:
            InputError: the model does not have what is to be trained.
        """
        raise NotImplementedError

    def check_average(self) -> None:
        """InputError, before anything is trained, where `average` cannot be done with these settings."""

    def average(self, model: SentenceTransformer, share: float, load: Callable[[], SentenceTransformer]) -> None:
        """Make the trained weights share x trained + (1 - share) x base, in place.

        A tuning that adds weights to a model has a way of its own.

        Args:
            model: after training.
            share: of the trained weights, above 0 and below 1.
            load: loads the base anew.
        """
        take_mean(model, share, [("the trained model and its base", load(), 1.0 - share)])

    def finish(
        self, model: SentenceTransformer, base: str, load: Callable[[], SentenceTransformer], adapter: Path
    ) -> SentenceTransformer:
        """The trained model as it is to be saved; what of it can be saved apart goes to `adapter`.

        It must embed as the one in memory does: a run holds the one to the other, and ends with an error where they differ.

        Args:
            model: after training; it stays as it is.
            base: the base's name, as the user gave it.
            load: loads the base anew.
            adapter: a directory that does not exist.
        """
        raise NotImplementedError


TUNINGS: Registry[type[Tuning]] = Registry("tuning", "isoglot.models.tunings")
