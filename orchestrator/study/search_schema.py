"""The keys of a search's study file, as pydantic models.

Checks that involve several keys are in `search_checks`.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from orchestrator.study.schema import Analysis, AtLeastOne, Name, Resources, Run, Seeds, unique
from trainable.config.base import Section
from trainable.storage.names import VALIDATION_ACCURACY

Scalar = bool | int | float | str
Number = int | float


class Metric(Section):
    """Objective: accuracy on noisy validation labels (never the test set), or the work."""

    name: Literal["val/accuracy", "work/forwards"]
    """Agreement with the noisy validation labels, or the work in image forwards."""
    goal: Literal["maximize", "minimize"]
    """`maximize` for the accuracy, `minimize` for the work."""

    @model_validator(mode="after")
    def _sensible(self) -> "Metric":
        right = "maximize" if self.name == VALIDATION_ACCURACY else "minimize"
        if self.goal != right:
            raise ValueError(f"the goal for {self.name} is `{right}`")
        return self


class Parameter(Section):
    """The values that one field may take: `values`, or a range from `low` to `high`, both included.

    `when` maps other fields to the values that they must have. If they have others, the field
    keeps the arm's value.
    """

    values: Annotated[list[Scalar], Field(min_length=1), AfterValidator(unique)] | None = None
    """Values to choose from."""
    low: Number | None = None
    """Lower end of a range, included."""
    high: Number | None = None
    """Upper end of a range, included."""
    log: bool = False
    """Whether a range is sampled on a logarithmic scale."""
    step: Annotated[Number, Field(gt=0)] | None = None
    """Distance of the values of a range; null: any number, or any whole number."""
    when: dict[str, Scalar | Annotated[list[Scalar], Field(min_length=1)]] = {}
    """Values that other fields must have for this parameter to be searched."""

    @model_validator(mode="after")
    def _one_kind(self) -> "Parameter":
        if self.values is not None:
            range_keys = (self.low, self.high, self.step)
            if self.log or any(key is not None for key in range_keys):
                raise ValueError("has `values`, so it takes no `low`, `high`, `log` or `step`")
            return self
        if self.low is None or self.high is None:
            raise ValueError("needs `values: [...]`, or both `low` and `high`")
        self._check_range(self.low, self.high)
        return self

    def _check_range(self, low: Number, high: Number) -> None:
        if low >= high:
            raise ValueError(f"`low` ({low}) should be less than `high` ({high}); exchange them")
        if self.log and self.step is not None:
            raise ValueError("`log` and `step` exclude each other; remove one of them")
        if self.log and low <= 0:
            raise ValueError(f"`log` needs a `low` greater than 0; it is {low}")
        if self.step is None:
            return
        steps = (high - low) / self.step
        if abs(steps - round(steps)) > 1e-9:
            raise ValueError(
                "`high` should be `low` plus a multiple of `step`; "
                f"it is {steps:.4g} steps above `low`"
            )


class Sampler(Section):
    """The sampler that proposes configurations.

    `n_trials` is the number of Optuna trials, the baseline included; null: the whole grid.
    """

    name: Literal["tpe", "gp", "random", "grid", "cmaes", "nsga2"]
    """Optuna's sampler."""
    n_trials: AtLeastOne | None = None
    """Number of configurations, the baseline included; null: the whole grid."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of the sampler."""

    @model_validator(mode="after")
    def _budget(self) -> "Sampler":
        if self.n_trials is None and self.name != "grid":
            raise ValueError("needs `n_trials`; only a grid has a natural number of trials")
        return self


class NoScheduler(Section):
    """Every trial runs to full length."""

    name: Literal["none"] = "none"


class Asha(Section):
    """Successive halving of trials.

    At epochs grace_period · reduction_factorᵏ only the best 1/reduction_factor continue.
    """

    name: Literal["asha"] = "asha"
    grace_period: AtLeastOne
    """Epochs before a trial may be stopped."""
    reduction_factor: Annotated[int, Field(ge=2)] = 3
    """At each milestone one in this many trials continues."""


class Median(Section):
    """Median stopping.

    A trial is stopped if its best value is below the median of the finished trials at the same
    epoch.
    """

    name: Literal["median"] = "median"
    grace_period: AtLeastOne
    """Epochs before a trial may be stopped."""
    min_trials: AtLeastOne = 5
    """Trials that must have finished before any is stopped."""


def _spelled_out(value: Any) -> Any:
    """Read `scheduler: none` as `scheduler: {name: none}`."""
    if isinstance(value, str):
        return {"name": value}
    return value


def _listed(value: Any) -> Any:
    """Read one metric as a list of one."""
    if isinstance(value, dict):
        return [value]
    return value


Scheduler = Annotated[NoScheduler | Asha | Median, Field(discriminator="name")]


class Confirm(Section):
    """Confirmation: the best configurations are run to full length on fresh seeds."""

    top_k: AtLeastOne | None = None
    """Configurations to confirm; null: three, or each arm's winner in a re-tuned ablation."""
    seeds: Seeds
    """Fresh seeds: none of those of the search."""


class SearchFile(Section):
    """The keys of a search's study file."""

    name: Name
    """Name of the study and of its results folder."""
    kind: Literal["search"]
    """A search proposes configurations and confirms the best ones."""
    metric: Annotated[
        list[Metric],
        Field(min_length=1, max_length=2),
        BeforeValidator(_listed, json_schema_input_type=Metric | list[Metric]),
    ]
    """Objective, or a list of accuracy and work."""
    seeds: Seeds
    """Seeds on which every configuration is trained."""
    base: dict[str, Any] = {}
    """Fields of the arm `baseline`, nested or by dotted path; the others have their defaults."""
    arms: dict[Name, dict[str, Any]] = {}
    """Arms that are searched one by one, unless `arm` is a parameter of the space."""
    space: Annotated[dict[str, Parameter], Field(min_length=1)]
    """Values or range of each searched field, by dotted path."""
    sampler: Sampler
    """What proposes configurations, and how many."""
    scheduler: Annotated[
        Scheduler,
        BeforeValidator(_spelled_out, json_schema_input_type=Scheduler | Literal["none"]),
    ] = NoScheduler()
    """What stops trials early: `none`, or one of the two below."""
    confirm: Confirm
    """The comparison of the best configurations with the baseline."""
    resources: Resources = Resources()
    """Resources of one trial."""
    run: Run = Run()
    """How trials are run; no key changes a result."""
    analysis: Analysis = Analysis()
    """How results are judged."""

    @property
    def two_metrics(self) -> bool:
        """Whether there are two metrics, so that the best configurations are a Pareto front."""
        return len(self.metric) == 2

    @property
    def retunes(self) -> bool:
        """Whether each arm has its own search.

        Otherwise `arm` is itself a parameter, or there are no arms.
        """
        return bool(self.arms) and ARM not in self.space


ARM = "arm"
"""The parameter of the space that chooses among the study's arms."""
