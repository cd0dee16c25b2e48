"""`init` for embeddings: a commented study file from a survey of the features and their labels."""

import json
from collections.abc import Iterator
from pathlib import Path

from orchestrator.cli.new_study import describe_classes
from orchestrator.study.study_text import path_in, study_name
from trainable.data.embeddings_survey import EmbeddingsSurvey
from trainable.data.held_out import too_small

STEPS = 2000
"""Least number of training steps."""
RATE = 0.05 / 64
"""Learning rate over batch size (the linear scaling of Goyal et al., 2017)."""

TEMPLATE = """\
# Written by `python -m orchestrator init`; fields are explained in trainable/config/trial.py
# and trainable/config/embeddings.py.
#   python -m orchestrator plan {file}          what will run;  --cost: how long it takes
#   python -m orchestrator run {file}           --try: does it work? and what the study costs
#
{found}
name: {name}
kind: ablation
seeds: [0, 1, 2, 3, 4, 5, 6, 7] # paired; six or more can show a difference

base: # the arm named `baseline`
  data:
    name: embeddings
    path: {path}
{data}    validation_fraction: {validation} # share of the training set held out, \
with its labels as they are
    normalise: standard # or l2, or none
    feature_dropout: 0.2 # views for training; also feature_jitter and feature_mixing
  noise: {noise}
  model: {{name: mlp, width: 128}} # or linear
  train: {{epochs: {epochs}, batch_size: {batch}, lr: {lr:g}, lr_schedule: cosine}}
  method:
    name: dividemix
    warmup_epochs: {warmup} # plain training, before wrong labels are memorised
    lambda_u: 0 # weight of the unlabeled loss: 0 up to about 20 % wrong labels, 10 to 25 for more
    conf_penalty: "on" # for errors between similar classes, as people make them

arms: # what differs from the baseline
  strong_cross_entropy: # plain training done well: what every method has to beat
    method.name: cross_entropy
    train: {{ema_decay: 0.99, weight_decay: 0.005}}
  cross_entropy: {{method.name: cross_entropy}}
  no_co_refine: {{method.co_refine: false}}
  no_mixup: {{method.mixup: false}}
  one_network: {{method.networks: 1}}

factors: # one at a time around the baseline
  method.lambda_u: {{values: [0, 10]}} # the baseline's own value is not run twice

analysis: {{primary: strong_cross_entropy}} # the report begins with this comparison

resources: {{cpu: 1, gpu: 0}} # a GPU saves little for networks of this size
"""


def describe(found: EmbeddingsSurvey) -> Iterator[str]:
    """What was found, a line each."""
    yield from describe_classes(found.class_names, found.counts, "rows")
    if found.held_out:
        yield "no test set: a fifth of the training rows of each class is held out as one"
    if small := too_small(sum(found.counts["test"]), "rows"):
        yield small
    yield f"{found.width} features of {found.dtype}; mean length of a vector: {found.length:.3g}"
    if found.true_labels:
        yield "true_labels: training sees labels, and true_labels are the truth"
    for problem in found.problems:
        yield f"suspicious: {problem}"


def study_text(
    found: EmbeddingsSurvey, source: Path, file: Path, name: str, trusted_test: bool = False
) -> str:
    """The study for data at `source`, to be written to `file`.

    Args:
        found: the survey of the data.
        source: the data.
        file: the study file.
        name: name of the data.
        trusted_test: whether the owner knows that the labels of the test set are right.
    """
    batch = 64
    for rows, larger in ((5_000, 256), (20_000, 512)):
        if found.train >= rows:
            batch = larger
    epochs = min(100, max(10, -(-STEPS * batch // found.train)))
    noise = "{name: none} # the labels as they are; {name: symmetric, rate: 0.2} adds wrong ones"
    if found.annotators:
        noise = "{name: annotators, choice: majority} # or first, or random"
    return TEMPLATE.format(
        file=file,
        found="\n".join(f"# {line}" for line in describe(found)),
        name=json.dumps(study_name(name)),
        path=json.dumps(path_in(file, source), ensure_ascii=False),
        data="".join(f"    {line}\n" for line in _fields(found, trusted_test)),
        validation=0.1 if found.train < 10_000 else 0.05,
        noise=noise,
        epochs=epochs,
        batch=batch,
        lr=RATE * batch,
        warmup=max(2, epochs // 5),
    )


def _fields(found: EmbeddingsSurvey, trusted_test: bool) -> Iterator[str]:
    """Fields of the data section that depend on what was found."""
    if not found.true_labels:
        yield (
            "labels_are_true: false # it is unknown which are wrong; "
            "true to test the method with synthetic noise on correct labels"
        )
    if found.held_out:
        yield (
            "test_fraction: 0.2 # no test set was found: this share of each class is held out of "
            "the training rows, the same for every seed, copies on one side"
        )
    if trusted_test:
        yield "test_labels: trusted # as --trusted-test says: every accuracy is measured by them"
    elif found.trusted:
        yield "test_labels: trusted # true_labels, which are the truth"
    else:
        yield (
            "test_labels: unchecked # the labels as they are: accuracy is agreement with them, and "
            "no verdict follows; trusted if you know that they are right"
        )
