"""A study file: a mistake is shown with its line and what would be right, a good file becomes the right trials."""

import json
import random
import re
from pathlib import Path
from typing import get_args

import pytest

from orchestrator.scheduling.trial_selection import Options, check_useful
from orchestrator.study.load import ConfigError, Study, load_study
from orchestrator.study.planned_trial import PlannedTrial
from trainable.config.dividemix import DivideMix
from trainable.config.methods import CrossEntropy
from trainable.config.trial import TrialConfig, trial_id

STUDIES = Path(__file__).parents[3] / "studies"

HEAD = """\
name: s
seeds: [0, 1]
"""
BASE = f"""\
{HEAD}base:
  train: {{epochs: 3}}
  method: {{warmup_epochs: 1}}
"""

# A mistake is on the line that ends in `# HERE`; next to it, the field, the value or the suggestion of its message.
BROKEN = {
    "a primary arm that is not there": (
        f"{BASE}arms:\n  bare: {{method.mixup: false}}\nanalysis: {{primary: bear}} # HERE\n",
        "no arm `bear` is compared with the baseline; did you mean `bare`?",
    ),
    "a primary arm on other data": (
        f"{BASE}arms:\n  a: {{data.validation_fraction: 0.3}}\nanalysis: {{primary: a}} # HERE\n",
        "no arm `a` is compared with the baseline",
    ),
    "an unknown key": (f"{BASE}arm: {{}} # HERE\n", "did you mean `arms`?"),
    "an unknown section": (
        f"{HEAD}base:\n  trian: {{epochs: 3}} # HERE\n",
        "did you mean `train`?",
    ),
    "a misspelt field": (
        f"{HEAD}base:\n  method:\n    lamda_u: 3 # HERE\n",
        "did you mean `lambda_u`?",
    ),
    "a misspelt field of an arm": (
        f"{BASE}arms:\n  a:\n    method.mixupp: false # HERE\n",
        "did you mean `mixup`?",
    ),
    "a field of another name": (
        f"{BASE}arms:\n  a: {{method.name: cross_entropy, method.mixup: false}} # HERE\n",
        "unknown key `mixup`; known are name, networks",
    ),
    "text for an integer": (f'{HEAD}base:\n  train:\n    epochs: "3" # HERE\n', '"3" is not right'),
    "a fraction for an integer": (
        f"{HEAD}base:\n  train:\n    epochs: 3.5 # HERE\n",
        "valid integer",
    ),
    "yes for true": (f"{BASE}arms:\n  a:\n    method.mixup: yes # HERE\n", "true or false"),
    "1 for true": (f"{BASE}arms:\n  a: {{method.mixup: 1}} # HERE\n", "true or false"),
    "none of the allowed words": (
        f"{BASE}arms:\n  a: {{method.guess_mode: evil}} # HERE\n",
        "'train' or 'eval'",
    ),
    "a duplicate key": (
        f"{BASE}arms:\n  a: {{method.mixup: false}}\n  a: {{method.co_guess: false}} # HERE\n",
        "the key `a` is repeated here (first on line 7); keep one of them",
    ),
    "a value out of range": (
        f"{BASE}arms:\n  b: {{method.mixup: false}}\n  a:\n    method.p_threshold: 1.5 # HERE\n",
        "arms.a.method.p_threshold: 1.5 is not right: it should be less than 1",
    ),
    "a value out of range in base": (
        f"{HEAD}base:\n  train:\n    lr: -1 # HERE\n",
        "greater than 0",
    ),
    "an infinite value": (f"{HEAD}base:\n  train:\n    lr: .inf # HERE\n", "finite number"),
    "an unknown data set": (
        f"{HEAD}base:\n  data: {{name: digit}} # HERE\n",
        "use one of digits, npz, mnist",
    ),
    "an unknown method": (
        f"{BASE}arms:\n  a: {{method.name: dividmix}} # HERE\n",
        "or FILE.py:CLASS; did you mean `dividemix`?",
    ),
    "an unknown model": (
        f"{HEAD}base:\n  model: {{name: cnn}} # HERE\n",
        "small_cnn, lenet, cnn6, preact_resnet18",
    ),
    "an unknown noise": (
        f"{HEAD}base:\n  noise: {{name: uniform}} # HERE\n",
        "none, symmetric, pair",
    ),
    "a noise without its rate": (f"{HEAD}base:\n  noise: {{name: pair}} # HERE\n", "rate"),
    "a data set without its path": (f"{BASE}arms:\n  a: {{data.name: npz}} # HERE\n", "path"),
    "fields that contradict each other": (
        f"{BASE}arms:\n  a: {{method.networks: 1, method.co_guess: peer}} # HERE\n",
        "needs `networks: 2`",
    ),
    "a prior that does not fit the data": (
        f"{BASE}arms:\n  a: {{method.alpha: 1, method.prior: [1, 2]}} # HERE\n",
        "has 2 numbers, and the data have 10 classes",
    ),
    "a mixture of losses in another division": (
        f"{BASE}arms:\n  a: {{method.division: embedding, method.mixture: bmm}} # HERE\n",
        "`mixture: bmm` is about the loss alone",
    ),
    "two equal arms": (
        f"{BASE}arms:\n  a: {{method.mixup: false}}\n  b: {{method: {{mixup: false}}}} # HERE\n",
        "arms.b: computes the same as `a` in every setting",
    ),
    "an arm that changes nothing": (
        f"{BASE}arms:\n  a: {{}} # HERE\n",
        "arms.a: ",
    ),
    "an arm that is the baseline": (
        f"{BASE}arms:\n  a: {{method.mixup: true}} # HERE\n",
        "the same as `baseline`",
    ),
    "an arm that is no mapping": (f"{BASE}arms:\n  a: no_mixup # HERE\n", "a mapping"),
    "an arm named baseline": (
        f"{BASE}arms:\n  baseline: {{method.mixup: false}} # HERE\n",
        "choose another name",
    ),
    "a name with a slash": (f"{BASE}arms:\n  a/b: {{method.mixup: false}} # HERE\n", "a-z 0-9 _"),
    "a name with capitals": (
        f"{BASE}arms:\n  NoMixup: {{method.mixup: false}} # HERE\n",
        "a-z 0-9 _",
    ),
    "a name that begins with a dot": (
        f"{BASE}settings:\n  .a: {{noise.name: none}} # HERE\n",
        "begin with a letter",
    ),
    "a name that is too long": (
        f"{BASE}settings:\n  {'a' * 151}: {{method.alpha: 1}} # HERE\n",
        "up to 150",
    ),
    "a study named like a path": ("name: ../s # HERE\nseeds: [0]\n", "a-z 0-9 _"),
    "a study named by a number": ("name: 3 # HERE\nseeds: [0]\n", "valid string"),
    "no seeds": ("name: s\nseeds: [] # HERE\n", "at least 1"),
    "repeated seeds": ("name: s\nseeds: [0, 1, 2, 1] # HERE\n", "seeds: 1 "),
    "a negative seed": ("name: s\nseeds: [0, -1] # HERE\n", "greater than or equal to 0"),
    "one seed for the list of seeds": ("name: s\nseeds: 8 # HERE\n", "valid list"),
    "a seed in base": (f"{BASE}  seed: 3 # HERE\n", "key `seeds`"),
    "a seed in an arm": (f"{BASE}arms:\n  a: {{seed: 3}} # HERE\n", "key `seeds`"),
    "a factor on seed": (
        f"{BASE}factors:\n  seed: {{values: [2, 3]}} # HERE\n",
        "key `seeds`",
    ),
    "a factor that names no field": (
        f"{BASE}factors:\n  method.lambda: {{values: [1]}} # HERE\n",
        "did you mean `lambda_u`?",
    ),
    "a factor on no section": (
        f"{BASE}factors:\n  methods.alpha: {{values: [1]}} # HERE\n",
        "did you mean `method`?",
    ),
    "a factor without values": (
        f"{BASE}factors:\n  method.alpha: {{values: []}} # HERE\n",
        "at least 1",
    ),
    "a factor with a value twice": (
        f"{BASE}factors:\n  method.alpha: {{values: [1, 2, 1.0]}} # HERE\n",
        "factors.method.alpha.values: 1",
    ),
    "a factor with a wrong value": (
        f"{BASE}factors:\n  method.alpha: {{values: [1, 0]}} # HERE\n",
        "greater than 0",
    ),
    "a factor with 1 for the baseline's true": (
        f"{BASE}factors:\n  method.mixup: {{values: [1, false]}} # HERE\n",
        "true or false",
    ),
    "a factor that is a list": (
        f"{BASE}factors:\n  method.alpha: [1, 2] # HERE\n",
        "factors.method.alpha",
    ),
    "a factor whose value cannot be a folder": (
        f"{HEAD}base:\n  data: {{name: npz, path: a.npz}}\nfactors:\n  data.path: {{values: [b/c.npz]}} # HERE\n",
        "gives the arm the name `path=b/c.npz`, which cannot be a folder",
    ),
    "a factor's value that an arm has already": (
        f"{BASE}arms:\n  a: {{method.alpha: 1}}\nfactors:\n  method.lambda_u: {{values: [1]}}\n"
        "  method.alpha: {values: [1]} # HERE\n",
        "computes the same as `a` in every setting",
    ),
    "a factor's name that an arm has already": (
        f"{BASE}arms:\n  alpha=1: {{method.mixup: false}}\nfactors:\n  method.alpha: {{values: [1]}} # HERE\n",
        "gives a second arm the name `alpha=1`",
    ),
    "one field nested and dotted": (
        f"{BASE}arms:\n  a:\n    method: {{mixup: false}}\n    method.mixup: true # HERE\n",
        "`method.mixup` is set twice in arms.a",
    ),
    "settings with equal baselines": (
        f"{BASE}settings:\n  a: {{}}\n  b: {{method.alpha: 4}} # HERE\n",
        "has the same baseline as setting `a`; remove one of them",
    ),
    "an unknown kind": (f"{BASE}kind: sweep # HERE\n", "should be 'ablation' or 'search'"),
    "an unknown design": (f"{BASE}design: grid # HERE\n", "'one_at_a_time' or 'product'"),
    "no CPU": (f"{BASE}resources: {{cpu: 0}} # HERE\n", "greater than 0"),
    "two GPUs for a trial": (f"{BASE}resources: {{gpu: 2}} # HERE\n", "less than or equal to 1"),
    "a GPU by another word": (
        f"{BASE}resources: {{gpu: all}} # HERE\n",
        "valid number, or should be 'auto'",
    ),
    "no trial at a time": (
        f"{BASE}run: {{max_concurrent_trials: 0}} # HERE\n",
        "greater than or equal to 1",
    ),
    "an unknown key of run": (
        f"{BASE}run: {{max_failure: 0}} # HERE\n",
        "did you mean `max_failures`?",
    ),
    "bad YAML": (f"{BASE}arms: {{a: [}} # HERE\n", "is not YAML"),
    "a tab": (f"{BASE}arms:\n\ta: 1 # HERE\n", "is not YAML"),
    "a tag": (f"{BASE}arms: !!python/object:os.system {{}} # HERE\n", "write plain values"),
    "a list for the study": (
        "- name: s # HERE\n- seeds: [0]\n",
        "a mapping with at least `name` and `seeds`",
    ),
    "an unknown section without fields": (f"{BASE}  traim: {{}} # HERE\n", "did you mean `train`?"),
    "a mapping for a number": (f"{HEAD}base:\n  train: {{epochs: {{}}}} # HERE\n", "valid integer"),
}


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "s.yaml"
    path.write_text(text)
    return path


def errors(path: Path, *sets: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_study(path, list(sets))
    return str(caught.value).splitlines()


def arms(study: Study, setting: str | None = None) -> dict[str, PlannedTrial]:
    """The trials of the study's first seed in one setting, by arm."""
    seed = study.trials[0].record.seed
    return {
        t.record.arm: t
        for t in study.trials
        if (t.record.setting, t.record.seed) == (setting, seed)
    }


# --- mistakes ---


@pytest.mark.parametrize(("text", "right"), BROKEN.values(), ids=BROKEN)
def test_a_mistake_is_shown_on_its_line_with_what_would_be_right(tmp_path, text, right):
    path = write(tmp_path, text)
    line = text[: text.index("# HERE")].count("\n") + 1
    shown = errors(path)
    there = [
        message.removeprefix(f"{path}:{line}: ")
        for message in shown
        if message.startswith(f"{path}:{line}: ")
    ]
    assert any(right in message for message in there), "\n".join(shown)
    assert all(re.match(rf"{re.escape(str(path))}:\d+: ", message) for message in shown), "\n".join(
        shown
    )


@pytest.mark.parametrize("name", list(BROKEN)[:50:5])
def test_a_mistake_ends_the_command_with_code_2_and_no_traceback(tmp_path, command, name):
    text, right = BROKEN[name]
    path = write(tmp_path, text)
    code, _, err = command("plan", path, "--results", tmp_path)
    assert code == 2
    assert right in err


def test_mistakes_without_a_line_name_the_file(tmp_path):
    empty, binary = tmp_path / "empty.yaml", tmp_path / "binary.yaml"
    empty.write_text("")
    binary.write_bytes(b"name: \xff")
    (message,) = errors(tmp_path / "nowhere.yaml")
    assert message == f"{tmp_path / 'nowhere.yaml'}: there is no such file"
    (message,) = errors(tmp_path)
    assert message.startswith(f"{tmp_path}: cannot be read")
    (message,) = errors(empty)
    assert message.startswith(f"{empty}")
    assert "at least `name` and `seeds`" in message
    (message,) = errors(binary)
    assert message == f"{binary}: is not UTF-8 text (byte 6)"


def test_missing_keys_are_named(tmp_path):
    path = write(tmp_path, "base: {}\n")
    assert errors(path) == [f"{path}: name: is missing", f"{path}: seeds: is missing"]


def test_all_mistakes_of_a_file_are_shown_at_once_in_the_order_of_its_lines(tmp_path):
    text = """\
name: S
seeds: [0, 0]
base:
  train: {epochs: 0, lr: 0.02}
  method: {warmup_epoch: 1}
arms:
  a: {method.mixup: maybe}
  a: {method.mixup: false}
factors:
  method.alpha: {values: []}
  data.nam: {values: [digits]}
run: {max_failures: -1}
"""
    path = write(tmp_path, text)
    shown = errors(path)
    lines = [int(message.removeprefix(f"{path}:").split(":")[0]) for message in shown]
    assert lines == sorted(lines)
    assert set(lines) == {1, 2, 4, 5, 7, 8, 10, 11, 12}


def test_a_mistake_of_base_is_shown_once_though_every_arm_has_it(tmp_path):
    text = f"{HEAD}base: {{train: {{epochs: 0}}}}\narms:\n  a: {{method.mixup: false}}\n  b: {{method.alpha: 1}}\n"
    path = write(tmp_path, text)
    assert errors(path) == [
        f"{path}:3: base.train.epochs: 0 is not right: it should be greater than or equal to 1"
    ]


def test_an_arm_equal_to_different_arms_in_different_settings_is_no_copy(tmp_path):
    text = f"""\
{BASE}settings:
  s1: {{method.lambda_u: 0, method.p_threshold: 0.6}}
  s2: {{method.lambda_u: 75}}
arms:
  b: {{method.lambda_u: 0, method.p_threshold: 0.5}}
  x: {{method.lambda_u: 0}}
"""
    study = load_study(write(tmp_path, text))  # x is the baseline in s1 and b in s2
    assert list(arms(study, "s1")) == ["baseline", "b"]
    assert list(arms(study, "s2")) == ["baseline", "b"]
    assert len(study.warnings) == 2


def test_a_randomly_damaged_study_loads_or_is_refused_with_a_sentence(tmp_path):
    whole = (STUDIES / "ablation.yaml").read_text()
    loaded, refused = [], []
    for seed in range(500):
        text = damaged(whole, random.Random(seed))
        path = write(tmp_path, text)
        try:
            loaded.append([trial.record.name for trial in load_study(path).trials])
        except ConfigError as error:
            refused.append(str(error))
        except Exception as error:
            error.add_note(f"random seed {seed}, the study:\n{text}")
            raise
    assert min(len(loaded), len(refused)) > 50, "both happen"
    assert all(len(names) == len(set(names)) > 0 for names in loaded)
    assert all(message.startswith(str(tmp_path / "s.yaml")) for message in refused)


def damaged(text: str, rng: random.Random) -> str:
    """The text after one to three changes: a line or a character deleted, doubled or replaced."""
    for _ in range(rng.randint(1, 3)):
        by_line = rng.random() < 0.5
        parts = text.splitlines(keepends=True) if by_line else list(text)
        other = rng.choice(parts) if by_line else rng.choice("{}[]:,-#&*!|>'\"%@`\t ~0aé.=\n")
        k = rng.randrange(len(parts))
        parts[k : k + 1] = rng.choice([[], [parts[k], parts[k]], [other]])
        text = "".join(parts)
    return text


# --- what a study means ---


def test_an_arm_overrides_a_setting_and_a_setting_overrides_base(tmp_path):
    text = f"""\
{HEAD}base: {{method: {{alpha: 1, temperature: 0.1, lambda_u: 1, warmup_epochs: 0}}}}
settings:
  s: {{method.alpha: 2, method.temperature: 0.2}}
arms:
  a: {{method.alpha: 3}}
"""
    method = arms(load_study(write(tmp_path, text)), "s")["a"].config.method
    assert (method.alpha, method.temperature, method.lambda_u) == (3, 0.2, 1)


def test_another_name_starts_its_section_from_defaults_and_keeps_the_same_override_s_fields(
    tmp_path,
):
    text = f"""\
{HEAD}base: {{noise: {{name: symmetric, rate: 0.8, include_true: false}}, method: {{alpha: 1, warmup_epochs: 0}}}}
arms:
  plain: {{method.name: cross_entropy}}
  single: {{method.networks: 1, method.name: cross_entropy}}
  pair: {{noise.rate: 0.4, noise.name: pair}}
  again: {{method.name: dividemix}}
"""
    found = arms(load_study(write(tmp_path, text)))
    assert found["plain"].config.method == CrossEntropy()
    assert found["single"].config.method == CrossEntropy(networks=1)
    assert found["pair"].config.noise.model_dump() == {"name": "pair", "rate": 0.4}
    assert found["again"].config.method.alpha == 4, "the same name, too, starts from its defaults"


def test_a_name_in_a_setting_drops_the_fields_of_base_but_not_those_of_the_arm(tmp_path):
    text = f"""\
{HEAD}base: {{noise: {{name: symmetric, rate: 0.8, include_true: false}}}}
settings:
  s: {{noise.name: symmetric, noise.rate: 0.2}}
arms:
  a: {{noise.rate: 0.3}}
"""
    noise = arms(load_study(write(tmp_path, text)), "s")["a"].config.noise
    assert (noise.rate, noise.include_true) == (0.3, True)


def test_nested_and_dotted_overrides_mean_the_same(tmp_path):
    nested = "{method: {mixup: false, alpha: 1}, train: {lr: 0.1}}"
    dotted = "{method.mixup: false, method: {alpha: 1}, train.lr: 0.1}"
    found = [load_study(write(tmp_path, f"{BASE}arms:\n  a: {arm}\n")) for arm in (nested, dotted)]
    assert [t.record for t in found[0].trials] == [t.record for t in found[1].trials]
    assert arms(found[0])["a"].config.train.lr == 0.1


def test_a_factor_is_named_by_its_last_word_and_leaves_out_the_baseline_s_value(tmp_path):
    text = f"""\
{BASE}factors:
  method.lambda_u: {{values: [0, 25, 7.5]}}
  method.co_guess: {{values: [true, false, peer]}}
  train.lr: {{values: [1e-3]}}
  train.lr_milestones: {{values: [[1, 2]]}}
"""
    found = arms(load_study(write(tmp_path, text)))
    assert list(found) == [
        "baseline",
        "lambda_u=0",
        "lambda_u=7.5",
        "co_guess=false",
        "co_guess=peer",
        "lr=0.001",
        "lr_milestones=1+2",
    ]
    assert found["lambda_u=7.5"].config.method.lambda_u == 7.5
    assert found["lr_milestones=1+2"].config.train.lr_milestones == [1, 2]


def test_a_factor_s_value_that_one_setting_has_already_is_not_run_there_and_said(tmp_path):
    text = f"{BASE}factors:\n  method.lambda_u: {{values: [0, 75]}}\n"
    text += "settings:\n  low: {method.lambda_u: 0}\n  high: {method.lambda_u: 75}\n"
    study = load_study(write(tmp_path, text))
    assert list(arms(study, "low")) == ["baseline", "lambda_u=75"]
    assert list(arms(study, "high")) == ["baseline", "lambda_u=0"]
    for warning, words in zip(
        study.warnings,
        [("lambda_u=0 ", "baseline", "setting low"), ("lambda_u=75 ", "baseline", "setting high")],
        strict=True,
    ):
        assert all(word in warning for word in words)


def test_a_product_crosses_the_factors_and_leaves_out_the_baseline_s_point(tmp_path):
    text = f"{BASE}design: product\nfactors:\n  method.alpha: {{values: [4, 1]}}\n  train.lr: {{values: [0.02, 0.1]}}\n"
    found = arms(load_study(write(tmp_path, text)))
    assert list(found) == ["baseline", "alpha=4,lr=0.1", "alpha=1,lr=0.02", "alpha=1,lr=0.1"]
    assert {trial.record.family for arm, trial in found.items() if arm != "baseline"} == {"product"}
    config = found["alpha=1,lr=0.1"].config
    assert (config.method.alpha, config.train.lr) == (1, 0.1)


def test_factors_with_the_same_last_word_are_named_by_their_whole_path(tmp_path):
    text = f"{BASE}factors:\n  method.name: {{values: [cross_entropy]}}\n  model.name: {{values: [preact_resnet18]}}\n"
    text += "  method.alpha: {values: [1]}\n"
    found = arms(load_study(write(tmp_path, text)))
    assert list(found) == [
        "baseline",
        "method.name=cross_entropy",
        "model.name=preact_resnet18",
        "alpha=1",
    ]


def test_named_arms_are_one_family_and_the_values_of_each_factor_another(tmp_path):
    text = f"{BASE}arms:\n  a: {{method.mixup: false}}\nfactors:\n  method.alpha: {{values: [1]}}\n"
    found = arms(load_study(write(tmp_path, text)))
    assert {arm: trial.record.family for arm, trial in found.items()} == {
        "baseline": None,
        "a": "arms",
        "alpha=1": "method.alpha",
    }


def test_arms_that_change_data_or_noise_have_no_baseline(tmp_path):
    text = f"""\
{BASE}  noise: {{name: pair, rate: 0.2}}
arms:
  method: {{method.mixup: false}}
  model: {{model.width: 8}}
  noise: {{noise.rate: 0.3}}
  data: {{data.flip: true}}
settings:
  sym: {{noise.name: symmetric, noise.rate: 0.5}}
"""
    found = arms(load_study(write(tmp_path, text)), "sym")
    assert {arm: trial.record.baseline for arm, trial in found.items()} == {
        "baseline": None,
        "method": "baseline",
        "model": "baseline",
        "noise": None,
        "data": None,
    }


def test_arms_with_other_files_of_labels_are_compared_in_a_family_of_their_own(tmp_path):
    text = f"""\
{BASE}  noise: {{name: file, path: given.csv}}
arms:
  method: {{method.mixup: false}}
  corrected: {{noise.path: corrected.csv}}
  none: {{noise.name: none}}
  flipped: {{noise.path: corrected.csv, data.flip: true}}
analysis: {{primary: corrected}}
"""
    study = load_study(write(tmp_path, text))
    found = {arm: trial.record for arm, trial in arms(study).items()}
    assert {
        arm: (each.family, each.baseline, each.other_labels) for arm, each in found.items()
    } == {
        "baseline": (None, None, False),
        "method": ("arms", "baseline", False),
        "corrected": ("labels", "baseline", True),
        "none": ("arms", None, False),
        "flipped": ("arms", None, False),
    }
    written = json.loads(study.plan.to_json())["trials"]
    marked = {trial["arm"] for trial in written if trial.get("other_labels")}
    assert marked == {"corrected"}
    assert sum("other_labels" in trial for trial in written) == len(study.file.seeds)


def test_trials_run_seed_by_seed_so_that_an_early_stop_leaves_whole_pairs(tmp_path):
    text = "name: s\nseeds: [7, 3]\narms:\n  b: {method.mixup: false}\n  a: {method.alpha: 1}\n"
    text += "settings:\n  y: {method.lambda_u: 1}\n  x: {}\n"
    order = [
        (t.record.seed, t.record.setting, t.record.arm)
        for t in load_study(write(tmp_path, text)).trials
    ]
    assert order == [
        (seed, setting, arm)
        for seed in (7, 3)
        for setting in "yx"
        for arm in ("baseline", "b", "a")
    ]


def test_a_record_has_the_id_of_its_configuration_with_its_seed(tmp_path):
    trials = load_study(write(tmp_path, f"{BASE}arms:\n  a: {{method.mixup: false}}\n")).trials
    assert all(t.record.id == trial_id(t.config) for t in trials)
    assert all((t.record.seed, t.record.epochs) == (t.config.seed, 3) for t in trials)
    assert len({t.record.id for t in trials}) == 4


def test_ids_do_not_depend_on_names_settings_or_order(tmp_path):
    first = load_study(
        write(tmp_path, f"{BASE}arms:\n  a: {{method.mixup: false}}\n  b: {{method.alpha: 1}}\n")
    )
    text = f"{BASE}settings:\n  x: {{method.alpha: 1}}\n  y: {{}}\narms:\n  no_mixup: {{method: {{mixup: false}}}}\n"
    second = load_study(write(tmp_path, text))
    assert arms(first)["a"].record.id == arms(second, "y")["no_mixup"].record.id
    assert arms(first)["b"].record.id == arms(second, "x")["baseline"].record.id


def test_scalars_are_those_of_yaml_1_2(tmp_path):
    text = f"""\
{HEAD}base: {{train: {{weight_decay: 5e-4, lr: 1E-2}}, method: {{conf_penalty: on, warmup_epochs: 010}}}}
arms:
  no: {{method.mixup: false}}
  2024-01-01: {{method.conf_penalty: off}}
  1: {{method.alpha: 1}}
"""
    found = arms(load_study(write(tmp_path, text)))
    assert list(found) == ["baseline", "no", "2024-01-01", "1"]
    config = found["baseline"].config
    assert (config.train.weight_decay, config.train.lr, config.method.warmup_epochs) == (
        0.0005,
        0.01,
        10,
    )
    assert (config.method.conf_penalty, found["2024-01-01"].config.method.conf_penalty) == (
        "on",
        "off",
    )


def test_arms_that_never_leave_warm_up_are_refused(tmp_path):
    text = f"{HEAD}base: {{train: {{epochs: 10}}, method: {{warmup_epochs: 5}}}}\narms:\n"
    text += "  all: {method.warmup_epochs: 10}\n  most: {method.warmup_epochs: 9}\n  ce: {method.name: cross_entropy}\n"
    with pytest.raises(
        ConfigError, match=r":5: arms\.all\.method\.warmup_epochs: `all` never leaves"
    ) as found:
        check_useful(Options(), load_study(write(tmp_path, text)))
    assert len(found.value.problems) == 1
    check_useful(Options(arms=frozenset({"most", "ce"})), load_study(write(tmp_path, text)))


def test_an_arm_that_ends_in_its_warm_up_may_be_the_source_of_another(tmp_path):
    text = f"{HEAD}base: {{train: {{epochs: 10}}, method: {{warmup_epochs: 5}}}}\narms:\n"
    text += "  warm: {method.warmup_epochs: 10}\n  go: {from_arm: warm, method.init: from_arm}\n"
    study = load_study(write(tmp_path, text))
    assert arms(study)["go"].record.source is not None
    check_useful(Options(), study)


def test_a_source_that_judges_no_sample_is_refused(tmp_path):
    text = f"{HEAD}base: {{train: {{epochs: 10}}, method: {{warmup_epochs: 5}}}}\narms:\n"
    text += "  ce: {method.name: cross_entropy}\n  again: {from_arm: ce, method.name: retrain}\n"
    with pytest.raises(ConfigError, match=r":6: arms\.again\.from_arm: `ce` does not divide"):
        check_useful(Options(), load_study(write(tmp_path, text)))


def test_an_automatic_warm_up_is_a_value_beside_numbers_and_needs_two_epochs(tmp_path):
    text = f"{HEAD}base: {{train: {{epochs: 11}}}}\nfactors:\n  method.warmup_epochs: {{values: [auto, 5]}}\n"
    found = arms(load_study(write(tmp_path, text)))
    assert list(found) == ["baseline", "warmup_epochs=auto", "warmup_epochs=5"]
    assert found["warmup_epochs=auto"].config.method.warmup_epochs == "auto"
    once = text + "arms:\n  once: {train.epochs: 1, method.warmup_epochs: auto}\n"
    with pytest.raises(ConfigError, match="`once` never leaves its warm-up of 1 epochs"):
        check_useful(Options(), load_study(write(tmp_path, once)))


def test_a_sound_study_has_no_warning_and_keeps_its_text(tmp_path):
    study = load_study(write(tmp_path, BASE))
    assert study.warnings == []
    assert (study.name, study.text) == ("s", BASE)


# --- --set ---


def test_set_changes_a_key_wherever_it_stands(tmp_path):
    text = f"{BASE}  method.alpha: 1\narms:\n  a: {{method.mixup: false}}\n"
    sets = [
        "base.train.epochs=5",
        "base.method.alpha=2",
        "seeds=[4]",
        "run.max_failures=0",
        "arms.b.train.lr=1e-3",
    ]
    study = load_study(write(tmp_path, text), sets)
    found = arms(study)
    assert list(found) == ["baseline", "a", "b"]
    config = found["b"].config
    assert (config.train.epochs, config.method.alpha, config.train.lr, config.seed) == (
        5,
        2,
        0.001,
        4,
    )
    assert study.file.run.max_failures == 0
    assert "base.train.epochs=5" in study.text.splitlines()[0]
    assert [t.record for t in load_study(write(tmp_path, study.text)).trials] == [
        t.record for t in study.trials
    ]


def test_set_changes_the_values_of_a_factor(tmp_path):
    path = write(tmp_path, f"{BASE}factors:\n  method.alpha: {{values: [1]}}\n")
    assert list(arms(load_study(path, ["factors.method.alpha.values=[2]"]))) == [
        "baseline",
        "alpha=2",
    ]


def test_set_adds_a_factor(tmp_path):
    path = write(tmp_path, f"{BASE}factors:\n  method.alpha: {{values: [1]}}\n")
    assert list(arms(load_study(path, ["factors.train.lr={values: [0.1]}"]))) == [
        "baseline",
        "alpha=1",
        "lr=0.1",
    ]


@pytest.mark.parametrize(
    ("change", "right"),
    [
        ("base.train.epochs", "for instance base.train.epochs=3"),
        ("=3", "key=value"),
        ("bas.train.epochs=3", "did you mean `base`?"),
        ("armz=3", "did you mean `arms`?"),
        ("base.train.epoch=3", "did you mean `epochs`?"),
        ("seeds.0=3", "`seeds` has no keys of its own"),
        ("seeds=[0", "[0 is not a YAML value"),
        ("seeds=", "seeds: null is not right"),
        ("base.train.epochs=ten", '"ten" is not right: it should be a valid integer'),
    ],
)
def test_a_wrong_set_says_what_would_be_right(tmp_path, change, right):
    (message,) = errors(write(tmp_path, BASE), change)
    assert right in message


@pytest.mark.parametrize(
    "change", ["base.train.epochs=0", "base.train={epochs: 0}", "base={train: {epochs: 0}}"]
)
def test_a_wrong_value_of_set_is_not_blamed_on_a_line_of_the_file(tmp_path, change):
    path = write(tmp_path, BASE)
    (message,) = errors(path, change)  # line 4 has a good value
    assert "0 is not right: it should be greater than or equal to 1" in message
    assert not message.startswith(f"{path}:4:")


@pytest.mark.parametrize(
    "value",
    ["{name: digits, name: npz}", "!!python/name:os.system {}", f"{'[' * 999}{']' * 999}"],
    ids=["duplicate key", "tag", "deep nesting"],
)
def test_a_value_of_set_is_read_as_strictly_as_the_file(tmp_path, value):
    errors(write(tmp_path, BASE), f"base.data={value}")


# --- the studies of the repository ---


def test_the_digits_ablation_has_13_arms_and_up_to_24_seeds():
    study = load_study(STUDIES / "ablation.yaml")
    assert len(study.trials) == 13 * 24
    assert len({trial.record.id for trial in study.trials}) == 13 * 24
    assert {trial.record.seed for trial in study.trials} == set(range(1000, 1024))
    assert study.warnings == []
    assert {t.record.baseline for t in study.trials if t.record.arm != "baseline"} == {"baseline"}
    assert list(arms(study)) == [
        "baseline",
        *(
            "no_co_divide",
            "no_co_refine",
            "no_co_guess",
            "no_mixup",
            "one_network",
            "strong_cross_entropy",
        ),
        *(
            "warmup_epochs=5",
            "warmup_epochs=15",
            "lambda_u=0",
            "lambda_u=75",
            "p_threshold=0.3",
            "p_threshold=0.7",
        ),
    ]


def test_the_two_digits_studies_have_an_arm_for_every_switch_on_one_baseline():
    ablation, switches = (
        load_study(STUDIES / f"{name}.yaml") for name in ("ablation_80", "switches")
    )
    assert switches.warnings == []
    assert [
        trial.record.seed for trial in switches.trials if trial.record.arm == "baseline"
    ] == list(range(8))
    method = switches.trials[0].config.method
    assert (
        switches.trials[0].config.model_copy(
            update={"method": method.model_copy(update={"neighbors": 200}), "seed": 1000}
        )
        == ablation.trials[0].config
    )  # `neighbors` is without effect there
    changed = set()
    for study in (ablation, switches):
        baseline = study.trials[0].config.method
        for trial in arms(study).values():
            other = trial.config.method
            if other.name == baseline.name:
                changed |= {
                    name
                    for name in DivideMix.model_fields
                    if getattr(other, name) != getattr(baseline, name)
                }
    start = {"init", "weights", "weights_hash", "head_only_epochs"}  # need a file of weights
    recipe = {"recipe", "guard", "warmup_steps"}  # studies/real_images.yaml
    assert DivideMix.model_fields.keys() - changed == {"name", "neighbors", *start, *recipe}
    assert {"lr_schedule=cosine", "lr_milestones=15"} <= arms(switches).keys()


def test_the_methods_study_has_every_method_in_every_setting():
    study = load_study(STUDIES / "methods.yaml")
    assert study.warnings == []
    named = get_args(TrialConfig.model_fields["method"].annotation)
    known = {section.model_fields["name"].default for section in named}
    for setting in ("sym20", "sym50", "sym80"):
        found = {trial.config.method.name for trial in arms(study, setting).values()}
        assert found == known - {"retrain", "ssr_plus"}, "the bundle in docs lacks ssr_plus"


def test_two_networks_trained_longer_do_the_work_of_three():
    study = load_study(STUDIES / "jocor_networks.yaml")
    assert study.warnings == []
    for setting in ("half", "authors"):
        work = {
            arm: t.config.method.networks * t.config.train.epochs
            for arm, t in arms(study, setting).items()
        }
        assert work["two_longer"] == work["three_pairs"] == 1.5 * work["baseline"]


def test_co_teaching_plus_that_never_begins_is_refused(tmp_path):
    text = f"{HEAD}base:\n  train: {{epochs: 20}}\n  method: {{name: co_teaching_plus}}\n"
    with pytest.raises(ConfigError, match="`baseline` never leaves its warm-up of 20 epochs"):
        check_useful(Options(), load_study(write(tmp_path, text)))


@pytest.mark.parametrize(
    ("setting", "lambda_u"), [("sym20", 0), ("sym50", 25), ("sym80", 25), ("sym90", 50)]
)
def test_the_cifar10_ablation_has_the_authors_lambda_u_in_each_setting(setting, lambda_u):
    found = arms(load_study(STUDIES / "cifar10_ablation.yaml"), setting)
    assert found["baseline"].config.method.lambda_u == lambda_u
    assert found["no_mixup"].config.method.lambda_u == lambda_u
    factor = {
        arm: trial.config.method.lambda_u
        for arm, trial in found.items()
        if arm.startswith("lambda_u=")
    }
    assert factor == {f"lambda_u={value}": value for value in (0, 25, 75) if value != lambda_u}
    assert found["baseline"].config.method.loss_history == (5 if setting == "sym90" else 1)
