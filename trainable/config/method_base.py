"""What the rest of the project may ask the fields of any method. Imports pydantic only."""

from trainable.config.base import Section


class MethodConfig(Section):
    """Base of every method's fields: the answers of a method that has no such switch.

    These are properties and no fields, so they are no part of a trial's id.
    """

    @property
    def shortest_warmup(self) -> int:
        """Epochs of warm-up at least."""
        return 0

    @property
    def source_needed_by(self) -> str | None:
        """The field that needs `from_arm`; None: no field does."""
        return None

    @property
    def losses_averaged(self) -> int:
        """Number of epochs over which each sample's losses are averaged."""
        return 1

    @property
    def needs_agreement(self) -> bool:
        """Whether networks compare their predictions, so both must judge the same samples."""
        return False

    @property
    def class_frequencies(self) -> list[float] | None:
        """Expected frequency of each class, in any unit; None: uniform."""
        return None

    def trains_head_only(self, finished: int) -> bool:
        """Whether only the last linear layer learns in the epoch after `finished` ones."""
        return False
