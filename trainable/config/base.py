"""Base class of configuration sections, and number types of fields. Imports pydantic only."""

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]
NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


class Section(BaseModel):
    """Base class of a group of configuration fields.

    Fields are immutable, unknown keys are errors, and values are not converted ("3" is not 3).
    """

    of_report: ClassVar[frozenset[str]] = frozenset()
    """Fields that change no row: they say how a report judges, or name the values of other fields.
    Ids of trials do not depend on them."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
