"""The keys of a search's study file, as pydantic models; what concerns one key alone is checked here."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from orchestrator.study.schema import Analysis, Name, Resources, Run, Seed, unique
from trainable.config.base import Section
from trainable.storage.names import VALIDATION_ACCURACY

Scalar = bool | int | float | str
Number = int | float


class Metric(Section):
    """What is compared: accuracy on the noisy validation labels (never the test set), or the work that it took."""

    name: Literal["val/accuracy", "work/forwards"]
    goal: Literal["maximize", "minimize"]

    @model_validator(mode="after")
    def _sensible(self) -> "Metric":
        right = "maximize" if self.name == VALIDATION_ACCURACY else "minimize"
        if self.goal != right:
            raise ValueError(f"the goal for {self.name} is `{right}`")
        return self


class Parameter(Section):
    """The values that one field may take: `values`, or a range from `low` to `high`, both included.

    `when` maps other fields to the value, or the values, that they must have; else the field keeps the arm's value.
    """

    values: Annotated[list[Scalar], Field(min_length=1), AfterValidator(unique)] | None = None
    low: Number | None = None
    high: Number | None = None
    log: bool = False
    step: Annotated[Number, Field(gt=0)] | None = None
    when: dict[str, Scalar | list[Scalar]] = {}

    @model_validator(mode="after")
    def _one_kind(self) -> "Parameter":
        ends = {name for name in ("low", "high") if getattr(self, name) is not None}
        if self.values is not None and (ends or self.log or self.step is not None):
            raise ValueError("has `values`, so it takes no `low`, `high`, `log` or `step`")
        if self.values is None and len(ends) < 2:
            raise ValueError("needs `values: [...]`, or both `low` and `high`")
        if self.low is not None and self.high is not None:
            self._check_range(self.low, self.high)
        return self

    def _check_range(self, low: Number, high: Number) -> None:
        if low >= high:
            raise ValueError(f"`low` ({low}) should be less than `high` ({high})")
        if self.log and self.step is not None:
            raise ValueError("`log` and `step` exclude each other")
        if self.log and low <= 0:
            raise ValueError(f"`log` needs a `low` greater than 0, and it is {low}")
        steps = (high - low) / (self.step or 1)
        if self.step is not None and abs(steps - round(steps)) > 1e-9:
            raise ValueError(
                f"`high` should be `low` plus a multiple of `step`, and it is {steps:.4g} steps away"
            )


class Sampler(Section):
    """Who proposes. `n_trials` counts everything that is tried, the baseline included; None: the whole grid."""

    name: Literal["tpe", "gp", "random", "grid", "cmaes", "nsga2"]
    n_trials: Annotated[int, Field(ge=1)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    @model_validator(mode="after")
    def _budget(self) -> "Sampler":
        if self.n_trials is None and self.name != "grid":
            raise ValueError("needs `n_trials` (only a grid ends by itself)")
        return self


class NoScheduler(Section):
    """Every trial runs to full length."""

    name: Literal["none"] = "none"


class Asha(Section):
    """Successive halving: at epochs grace_period · reduction_factorᵏ only the best 1/reduction_factor go on."""

    name: Literal["asha"] = "asha"
    grace_period: Annotated[int, Field(ge=1)]
    reduction_factor: Annotated[int, Field(ge=2)] = 3


class Median(Section):
    """A trial is stopped if its best value is worse than the median, at the same epoch, of the finished ones."""

    name: Literal["median"] = "median"
    grace_period: Annotated[int, Field(ge=1)]
    min_trials: Annotated[int, Field(ge=1)] = 5
    """Trials that must have finished before any is stopped."""


def _spelled_out(value: Any) -> Any:
    """`scheduler: none` for `scheduler: {name: none}`."""
    return {"name": value} if isinstance(value, str) else value


def _listed(value: Any) -> Any:
    """One metric for a list of one."""
    return [value] if isinstance(value, dict) else value


Scheduler = Annotated[NoScheduler | Asha | Median, Field(discriminator="name")]


class Confirm(Section):
    """Which of the best are run again, to full length, and on which fresh seeds."""

    top_k: Annotated[int, Field(ge=1)] | None = None
    """None: three; of a re-tuned ablation the winner of each arm, and only that."""
    seeds: Annotated[list[Seed], Field(min_length=1), AfterValidator(unique)]


class SearchFile(Section):
    """The keys of a search's study file."""

    name: Name
    kind: Literal["search"]
    metric: Annotated[list[Metric], Field(min_length=1, max_length=2), BeforeValidator(_listed)]
    seeds: Annotated[list[Seed], Field(min_length=1), AfterValidator(unique)]
    base: dict[str, Any] = {}
    arms: dict[Name, dict[str, Any]] = {}
    space: Annotated[dict[str, Parameter], Field(min_length=1)]
    sampler: Sampler
    scheduler: Annotated[Scheduler, BeforeValidator(_spelled_out)] = NoScheduler()
    confirm: Confirm
    resources: Resources = Resources()
    run: Run = Run()
    analysis: Analysis = Analysis()

    @property
    def two_metrics(self) -> bool:
        """Whether the best are a front of trade-offs."""
        return len(self.metric) == 2

    @property
    def retunes(self) -> bool:
        """Whether every arm gets a search of its own; else `arm` is itself a parameter, or there are no arms."""
        return bool(self.arms) and ARM not in self.space


ARM = "arm"
"""The parameter of the space that stands for the study's arms."""
