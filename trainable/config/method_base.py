"""Properties of a method's fields that the rest of the project uses. Imports pydantic only."""

from typing import Literal, Self

from trainable.config.base import Section


class MethodConfig(Section):
    """Base class of every method's fields, with defaults for methods without such a switch.

    They are properties, not fields, so they are not part of a trial's id.
    """

    @property
    def shortest_warmup(self) -> int:
        """Minimum number of warm-up epochs."""
        return 0

    @property
    def warmup_field(self) -> str:
        """Name of the field with the number of warm-up epochs."""
        return "warmup_epochs"

    def with_warmup(self, epochs: int) -> Self:
        """Return the method with exactly this number of warm-up epochs; itself without warm-up."""
        changes = {self.warmup_field: epochs, "warmup_steps": 0}
        fields = type(self).model_fields
        return self.model_copy(update={k: value for k, value in changes.items() if k in fields})

    @property
    def divides(self) -> bool:
        """Whether the method estimates how probably each given label is right."""
        return False

    @property
    def needs_divided_source(self) -> bool:
        """Whether the method uses the clean probabilities of the trial that `from_arm` names."""
        return False

    @property
    def source_needed_by(self) -> str | None:
        """Name of the field that needs `from_arm`; None: no field does."""
        return None

    @property
    def losses_averaged(self) -> int:
        """Number of epochs over which each sample's losses are averaged."""
        return 1

    @property
    def needs_agreement(self) -> bool:
        """Whether networks compare their predictions and must therefore judge the same samples."""
        return False

    @property
    def averages(self) -> Literal["logits", "probabilities"]:
        """Outputs of the networks that are averaged in their ensemble."""
        return "logits"

    @property
    def class_frequencies(self) -> list[float] | None:
        """Expected frequencies of the classes, in any unit; None: uniform."""
        return None

    def trains_head_only(self, finished: int) -> bool:
        """Return whether only the last linear layer learns after `finished` epochs."""
        return False
