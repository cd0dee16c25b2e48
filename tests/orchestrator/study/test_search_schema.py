"""A search's study file: a mistake is shown with its line and what is right, a good file becomes the right space."""

import random
from pathlib import Path

import pytest

from orchestrator.study.load import ConfigError, Study, load_study
from orchestrator.study.search_definition import FIXED, TUNED
from orchestrator.study.search_space import Point, Space
from tests.orchestrator.study.test_load import damaged

STUDIES = Path(__file__).parents[3] / "studies"

HEAD = """\
name: s
kind: search
metric: {name: val/accuracy, goal: maximize}
seeds: [0]
base: {data: {validation_fraction: 0.2}, train: {epochs: 9}, method: {warmup_epochs: 1}}
"""
TAIL = """\
sampler: {name: tpe, n_trials: 20}
confirm: {seeds: [100, 101]}
"""
LR = "space:\n  train.lr: {low: 0.001, high: 0.1, log: true}\n"
ARMS = "arms:\n  no_mixup: {method.mixup: false}\n  ce: {method.name: cross_entropy}\n"


def space(*lines: str) -> str:
    return HEAD + LR + "".join(f"  {line}\n" for line in lines) + TAIL


def swapped(old: str, new: str, text: str = HEAD + LR + TAIL) -> str:
    assert old in text
    return text.replace(old, new)


BROKEN = {
    "no values and no range": (space("method.alpha: {low: 1} # HERE"), "both `low` and `high`"),
    "values and a range": (
        space("method.alpha: {values: [1, 4], low: 1} # HERE"),
        "takes no `low`",
    ),
    "a range upside down": (space("method.alpha: {low: 5, high: 1} # HERE"), "less than `high`"),
    "log and step": (
        space("method.alpha: {low: 1, high: 5, log: true, step: 1} # HERE"),
        "`log` and `step`",
    ),
    "log from zero": (
        space("method.lambda_u: {low: 0, high: 75, log: true} # HERE"),
        "greater than 0",
    ),
    "steps that do not fit": (
        space("method.alpha: {low: 1, high: 5, step: 3} # HERE"),
        "multiple of `step`",
    ),
    "a misspelt key": (space("method.alpha: {lo: 1, high: 5} # HERE"), "did you mean `low`?"),
    "a misspelt field": (
        space("method.lamda_u: {values: [0, 25]} # HERE"),
        "did you mean `lambda_u`?",
    ),
    "a value out of range": (
        space("method.p_threshold: {low: 0.3, high: 1.5} # HERE"),
        "less than 1",
    ),
    "a wrong type": (space("method.mixup: {values: [true, maybe]} # HERE"), "true or false"),
    "a list as a value": (space("train.lr_milestones: {values: [[3], [6]]} # HERE"), "valid"),
    "fractions for a whole number": (
        space("method.warmup_epochs: {low: 1, high: 3.5} # HERE"),
        "integer",
    ),
    "values twice": (space("method.alpha: {values: [4, 4]} # HERE"), "more than once"),
    "the baseline's value is missing": (
        space("method.lambda_u: {values: [0, 50]} # HERE"),
        "does not have 25.0",
    ),
    "the baseline's value is out of range": (
        space("method.alpha: {low: 5, high: 8} # HERE"),
        "does not have 4.0",
    ),
    "values that contradict each other": (
        space(
            "method.networks: {values: [1, 2]} # HERE", "method.co_guess: {values: [true, peer]}"
        ),
        "needs `networks: 2`",
    ),
    "a condition on nothing": (
        space("method.alpha: {values: [2, 4], when: {method.mix: true}} # HERE"),
        "neither",
    ),
    "a condition that never holds": (
        space("method.alpha: {values: [2, 4], when: {method.mixup: false}} # HERE"),
        "`when`",
    ),
    "a condition on what stands below": (
        space(
            "method.alpha: {values: [2, 4], when: {method.mixup: true}} # HERE",
            "method.mixup: {values: [true, false]}",
        ),
        "should be listed above",
    ),
    "a seed": (space("seed: {values: [0, 1]} # HERE"), "key `seeds`"),
    "the noise": (space("noise.rate: {values: [0.2, 0.4]} # HERE"), "learning problem"),
    "the split": (
        space("data.validation_fraction: {low: 0.1, high: 0.3} # HERE"),
        "learning problem",
    ),
    "the classes' sizes": (space("data.imbalance: {values: [1, 10]} # HERE"), "learning problem"),
    "whether validation labels are clean": (
        space("data.clean_validation: {values: [true, false]} # HERE"),
        "learning problem",
    ),
    "arm without arms": (
        swapped("space:\n", "space:\n  arm: {values: [baseline, x]} # HERE\n"),
        "values: [baseline]",
    ),
    "an arm that is not listed": (
        swapped("space:\n", ARMS + "space:\n  arm: {values: [baseline, ce]} # HERE\n"),
        "values: [baseline, no_mixup, ce]",
    ),
    "a parameter that an arm sets": (
        swapped(
            "space:\n",
            ARMS
            + "space:\n  arm: {values: [baseline, no_mixup, ce]}\n"
            + "  method.mixup: {values: [true, false], when: {arm: [baseline, no_mixup]}} # HERE\n",
        ),
        "when: {arm: [...]}",
    ),
    "a parameter that an arm does not have": (
        swapped(
            "space:\n",
            ARMS
            + "space:\n  arm: {values: [baseline, no_mixup, ce]}\n  method.alpha: {values: [2, 4]} # HERE\n",
        ),
        "unknown key `alpha`",
    ),
    "no parameters": (HEAD + "space: {} # HERE\n" + TAIL, "at least 1"),
    "an unknown sampler": (
        swapped("{name: tpe, n_trials: 20}", "{name: bayes, n_trials: 20} # HERE"),
        "'tpe'",
    ),
    "no number of trials": (
        swapped("{name: tpe, n_trials: 20}", "{name: tpe} # HERE"),
        "needs `n_trials`",
    ),
    "an endless grid": (
        swapped("tpe, n_trials: 20", "grid", swapped("log: true}", "log: true} # HERE")),
        "a grid needs `values` or `step`",
    ),
    "CMA-ES in one dimension": (
        swapped("tpe", "cmaes", HEAD + LR.replace("space:", "space: # HERE") + TAIL),
        "two dim",
    ),
    "CMA-ES with values": (
        swapped("tpe", "cmaes", space("method.alpha: {values: [2, 4]} # HERE")),
        "ranges without conditions",
    ),
    "NSGA-II for one metric": (
        swapped("{name: tpe, n_trials: 20}", "{name: nsga2, n_trials: 20} # HERE"),
        "two metrics",
    ),
    "a test metric": (
        swapped(
            "{name: val/accuracy, goal: maximize}", "{name: test/accuracy, goal: maximize} # HERE"
        ),
        "val/acc",
    ),
    "a goal upside down": (swapped("maximize}", "minimize} # HERE"), "`maximize`"),
    "work alone": (
        swapped(
            "{name: val/accuracy, goal: maximize}", "{name: work/forwards, goal: minimize} # HERE"
        ),
        "needs val/accuracy",
    ),
    "several seeds with a scheduler": (
        swapped("seeds: [0]", "scheduler: {name: asha, grace_period: 3} # HERE\nseeds: [0, 1]"),
        "`scheduler: none`",
    ),
    "an unknown scheduler": (
        HEAD + LR + "scheduler: {name: pbt} # HERE\n" + TAIL,
        "use one of none, asha, median",
    ),
    "a key of another scheduler": (
        HEAD
        + LR
        + "scheduler: {name: median, grace_period: 2, reduction_factor: 3} # HERE\n"
        + TAIL,
        "unknown key `reduction_factor`",
    ),
    "a grace period without end": (
        HEAD + LR + "scheduler: {name: asha, grace_period: 9} # HERE\n" + TAIL,
        "epochs (9)",
    ),
    "epochs with a scheduler": (
        swapped(
            "space:",
            "scheduler: {name: asha, grace_period: 2}\nspace: # HERE",
            space("train.epochs: {values: [5, 9]}"),
        ),
        "equal epochs",
    ),
    "seeds that are not fresh": (
        swapped("{seeds: [100, 101]}", "{seeds: [0, 101]} # HERE"),
        "fresh",
    ),
    "no confirmation": (swapped("confirm: {seeds: [100, 101]}\n", ""), "is missing"),
    "no validation set": (
        swapped("validation_fraction: 0.2", "validation_fraction: 0").replace(
            "}}\n", "}} # HERE\n", 1
        ),
        "data.validation_fraction",
    ),
    "top_k of a re-tuned ablation": (
        swapped("{seeds: [100, 101]}", "{top_k: 2, seeds: [100]} # HERE", HEAD + ARMS + LR + TAIL),
        "`top_k`",
    ),
    "an arm named like a column": (
        HEAD + "arms:\n  tuned: {method.mixup: false} # HERE\n" + LR + TAIL,
        "choose another one",
    ),
    "a key of an ablation": (HEAD + LR + "factors: {} # HERE\n" + TAIL, "unknown key `factors`"),
}


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "s.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(("text", "right"), BROKEN.values(), ids=BROKEN)
def test_a_mistake_is_shown_on_its_line_with_what_would_be_right(tmp_path, text, right):
    with pytest.raises(ConfigError) as error:
        load_study(write(tmp_path, text))
    marked = [n for n, line in enumerate(text.splitlines(), start=1) if line.endswith("# HERE")]
    problems = error.value.problems
    assert any(right in p.message and (not marked or p.line in marked) for p in problems), str(
        error.value
    )


def test_a_sampler_that_is_not_installed_says_how_to_install_it(tmp_path, monkeypatch, command):
    monkeypatch.setattr("orchestrator.study.search_checks.find_spec", lambda name: None)
    text = swapped("tpe", "cmaes", space("method.alpha: {low: 1, high: 8}"))
    code, _, err = command("plan", write(tmp_path, text))
    assert code == 2
    assert "pip install 'dividemix-orchestrator[cmaes]'" in err


def test_a_randomly_damaged_search_loads_or_is_refused_with_a_sentence(tmp_path):
    whole = (STUDIES / "search.yaml").read_text()
    outcomes = set()
    for seed in range(150):
        text = damaged(whole, random.Random(seed))
        try:
            load_study(write(tmp_path, text))
            outcomes.add("loaded")
        except ConfigError:
            outcomes.add("refused")
        except Exception as error:
            error.add_note(f"random seed {seed}, the study:\n{text}")
            raise
    assert outcomes == {"loaded", "refused"}


def only(study: Study) -> Space:
    assert study.search is not None
    return study.search.searches[0].space


def test_a_whole_number_is_searched_as_one(tmp_path):
    text = space("method.warmup_epochs: {low: 1, high: 5}", "method.lambda_u: {low: 0, high: 75}")
    kinds = {d.path: d.integer for d in only(load_study(write(tmp_path, text))).dimensions}
    assert kinds == {"train.lr": False, "method.warmup_epochs": True, "method.lambda_u": False}


def test_a_condition_leaves_a_parameter_out(tmp_path):
    text = space(
        "method.mixup: {values: [true, false]}",
        "method.alpha: {low: 1, high: 8, when: {method.mixup: true}}",
    )
    found = only(load_study(write(tmp_path, text)))

    def point(mixup: bool) -> Point:
        return found.walk(
            lambda d: {"train.lr": 0.05, "method.mixup": mixup, "method.alpha": 7}[d.path]
        )

    assert point(True) == {"train.lr": 0.05, "method.mixup": True, "method.alpha": 7}
    assert point(False) == {"train.lr": 0.05, "method.mixup": False}
    assert found.config(point(False)).method.alpha == 4, "the arm's own value"


def test_a_method_can_be_searched_with_its_own_parameters(tmp_path):
    text = space(
        "method.name: {values: [dividemix, cross_entropy]}",
        "method.lambda_u: {values: [25, 50], when: {method.name: dividemix}}",
    )
    found = only(load_study(write(tmp_path, text)))
    assert found.starts == [{"train.lr": 0.02, "method.name": "dividemix", "method.lambda_u": 25}]
    assert found.config(found.starts[0]).method.warmup_epochs == 1, (
        "naming the baseline's method changes nothing"
    )
    assert (
        found.config({"method.name": "cross_entropy", "train.lr": 0.05}).method.name
        == "cross_entropy"
    )


def test_an_arm_is_a_categorical_and_all_arms_are_tried_first(tmp_path):
    text = swapped(
        "space:\n",
        ARMS
        + "space:\n  arm: {values: [ce, baseline, no_mixup]}\n"
        + "  method.lambda_u: {values: [0, 25], when: {arm: [baseline, no_mixup]}}\n",
    )
    study = load_study(write(tmp_path, text))
    found = only(study)
    assert found.starts == [
        {"arm": "baseline", "method.lambda_u": 25, "train.lr": 0.02},
        {"arm": "no_mixup", "method.lambda_u": 25, "train.lr": 0.02},
        {"arm": "ce", "train.lr": 0.02},
    ]
    assert found.config({"arm": "no_mixup", "train.lr": 0.1}).method.mixup is False
    assert len(study.search.searches) == 1


def test_arms_get_a_search_each_without_what_they_decide(tmp_path):
    text = swapped(
        "space:\n",
        ARMS
        + "space:\n  method.mixup: {values: [true, false]}\n  method.lambda_u: {values: [0, 25]}\n",
    )
    study = load_study(write(tmp_path, text))
    searched = {s.arm: [d.path for d in s.space.dimensions] for s in study.search.searches}
    assert searched == {
        "baseline": ["method.mixup", "method.lambda_u", "train.lr"],
        "no_mixup": ["method.lambda_u", "train.lr"],
        "ce": ["train.lr"],
    }
    assert len(study.warnings) == 3
    names = [
        trial.record.name
        for trial in study.search.confirmations({"baseline": study.search.arms["baseline"]})
    ]
    fixed = [f"{FIXED}/{arm}/seed=100" for arm in ("baseline", "no_mixup", "ce")]
    assert names[:4] == [*fixed, f"{TUNED}/baseline/seed=100"]


def test_a_confirmation_is_an_ablation_of_its_own_family(tmp_path):
    study = load_study(write(tmp_path, HEAD + LR + TAIL))
    config = study.search.arms["baseline"]
    records = [trial.record for trial in study.search.confirmations({"trial-0007": config})]
    assert [record.name for record in records] == [
        "baseline/seed=100", "trial-0007/seed=100", "baseline/seed=101", "trial-0007/seed=101",
    ]  # fmt: skip
    assert [(record.family, record.baseline) for record in records[:2]] == [
        (None, None),
        ("search", "baseline"),
    ]


@pytest.mark.parametrize("epochs", ["1", "auto"])
def test_a_scheduler_within_warm_up_deserves_a_warning(tmp_path, epochs):
    head = HEAD.replace("warmup_epochs: 1", f"warmup_epochs: {epochs}")
    text = head + LR + "scheduler: {name: asha, grace_period: 1}\n" + TAIL
    assert any(
        "within warm-up" in warning for warning in load_study(write(tmp_path, text)).warnings
    )


def test_a_key_of_the_space_can_be_set(tmp_path):
    path = write(tmp_path, HEAD + LR + TAIL)
    study = load_study(
        path,
        ["space.train.lr.high=0.5", "sampler.n_trials=7", "space.method.alpha={low: 1, high: 8}"],
    )
    assert study.file.space["train.lr"].high == 0.5
    assert study.file.sampler.n_trials == 7
    assert "method.alpha" in study.file.space


@pytest.mark.parametrize("name", ["search", "cifar10_search"])
def test_the_searches_that_come_along_are_sound(name):
    study = load_study(STUDIES / f"{name}.yaml")
    assert study.warnings == []
    assert study.search.top_k == {"search": 2, "cifar10_search": 3}[name]
