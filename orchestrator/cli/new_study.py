"""`init`: a commented study file for a user's own data, from a survey of it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from orchestrator.cli.study_size import Size
from orchestrator.study.study_text import path_in, study_name
from trainable.data.held_out import too_small
from trainable.data.survey import Survey

STEPS = 3000
"""Least number of training steps, in batches of 64 images."""
LARGEST = 64
"""Pixels: the most that small_cnn takes."""

TEMPLATE = """\
# Written by `python -m orchestrator init`; fields are explained in trainable/config/trial.py
# and trainable/config/data.py.
#   python -m orchestrator plan {file}          what will run;  --cost: how long it takes
#   python -m orchestrator run {file}           --try: does it work? and what the study costs
#
{found}
name: {name}
kind: ablation
seeds: {seeds} # paired; six or more can show a difference

base: # the arm named `baseline`
  data:
    name: {form}
    path: {path}
{data}{test}    validation_fraction: {validation} # share of the training set held out, \
with its labels as they are
    crop_padding: {padding} # pixels that an image may be shifted in training
    flip: {flip} # left-right; false where left and right mean something (digits, text, road signs)
  noise: {{name: none}} # the labels as they are; {{name: symmetric, rate: 0.2}} \
would put wrong ones on top
  model: {{name: small_cnn}} # or preact_resnet18, for a GPU
  train: {{epochs: {epochs}, batch_size: {batch}, lr: 0.02}}
  method: {{name: dividemix, recipe: robust}} \
# one setting for small data and any noise: docs/method.md

arms: # what differs from the baseline
{arms}

{factors}

analysis: {{primary: strong_cross_entropy}} # the report begins with this comparison

resources: {{cpu: 1, gpu: auto}}
"""


FACTORS = {
    "lambda_u=25": (
        "factors: # one at a time around the baseline",
        "  method.lambda_u: {values: [0, 25]} # weight of the unlabeled loss; the recipe has 0",
    ),
}


def describe_classes(
    names: Sequence[str], counts: Mapping[str, Sequence[int]], unit: str
) -> Iterator[str]:
    """The classes, and how many samples each has in every split, a line each.

    `counts`: split → number of samples by class. `unit`: what a sample is, in the plural.
    """
    shown = ", ".join(names[:10])
    if len(names) > 10:
        shown += ", …"
    yield f"{len(names)} classes: {shown}"
    for split, by_class in counts.items():
        yield f"{split}: {sum(by_class)} {unit}, {min(by_class)} to {max(by_class)} a class"


def describe(found: Survey) -> Iterator[str]:
    """What was found, a line each."""
    yield from describe_classes(found.class_names, found.counts, "images")
    sizes = ", ".join(f"{width}×{height}" for (height, width), _ in found.sizes.most_common(3))
    if len(found.sizes) > 3:
        sizes += f" and {len(found.sizes) - 3} other sizes"
    if found.held_out:
        yield "no test set: a fifth of the training images of each class is held out as one"
    if small := too_small(sum(found.counts["test"])):
        yield small
    colors = "grey" if found.grey else "colour"
    yield f"{colors} images of {sizes} pixels"
    if found.noisy_labels:
        yield "train_noisy_labels: training sees these, and train_labels are the truth"
    for problem in found.problems:
        yield f"suspicious: {problem}"


def whole_size(found: Survey) -> Size:
    """Return the size of the whole study."""
    return Size(min(100, max(30, -(-STEPS * 64 // found.train))))


def study_text(
    found: Survey,
    source: Path,
    file: Path,
    size: Size,
    trusted_test: bool = False,
    about_size: Sequence[str] = (),
) -> str:
    """The study for data at `source`, to be written to `file`.

    Args:
        found: survey of the data.
        source: where they are.
        file: the study file.
        size: epochs, seeds and arms; other arms are commented out.
        trusted_test: the owner knows that the labels of the test set are right.
        about_size: comments on the size.
    """
    epochs = size.epochs
    side = min(min(size) for size in found.sizes)
    return TEMPLATE.format(
        file=file,
        found="\n".join(f"# {line}" for line in [*describe(found), *about_size]),
        seeds=list(range(size.seeds)),
        arms="\n".join(_written(_arms(epochs), size, indent="  ")),
        factors="\n".join(_written(FACTORS, size, indent="")),
        name=json.dumps(study_name(base(source))),
        form=found.form,
        path=json.dumps(path_in(file, source), ensure_ascii=False),
        data="".join(f"    {line}\n" for line in _fields(found)),
        test="".join(f"    {line}\n" for line in _test_fields(found, trusted_test)),
        validation=0.1 if found.train < 10_000 else 0.05,
        padding=max(1, min(4, side // 8)),
        flip="false" if found.grey else "true",
        epochs=epochs,
        batch=64 if found.train >= 2000 else 32,
    )


def _arms(epochs: int) -> dict[str, Sequence[str]]:
    """Arm → its lines."""
    return {
        "strong_cross_entropy": (
            "strong_cross_entropy: # plain training done well: what every method has to beat",
            "  method.name: cross_entropy",
            "  train: {lr_schedule: cosine, ema_decay: 0.9, weight_decay: 0.01}",
        ),
        "published": (
            "published: # the authors' settings",
            "  method.recipe: published",
            f"  train: {{lr_milestones: [{epochs // 2}]}}",
        ),
        "mixup": ("mixup: {method.mixup: true} # always; the recipe decides after warm-up",),
        "no_co_refine": ("no_co_refine: {method.co_refine: false}",),
        "one_network": ("one_network: {method.networks: 1}",),
    }


def _written(parts: Mapping[str, Sequence[str]], size: Size, indent: str) -> Iterator[str]:
    """Yield the lines of arms; those that the size leaves out are comments."""
    for arm, lines in parts.items():
        mark = "" if arm in size.arms else "# "
        for line in lines:
            yield f"{indent}{mark}{line}"


def _fields(found: Survey) -> Iterator[str]:
    """Fields of the data section that depend on what was found."""
    if found.form == "image_folder":
        height, width = found.sizes.most_common(1)[0][0]
        if len(found.sizes) > 1 or max(height, width) > LARGEST:
            shorter_sides = sorted(min(size) for size in found.sizes.elements())
            median = shorter_sides[found.sizes.total() // 2]
            size = max(16, min(LARGEST, median // 8 * 8))
            yield (
                f"size: {size} # pixels: the shorter side is scaled to it, "
                "and the square in the middle is kept"
            )
        if found.grey:
            yield "channels: 1 # grey"
    if not found.noisy_labels:
        yield (
            "labels_are_true: false # it is unknown which are wrong; "
            "true to test the method with synthetic noise on correct labels"
        )


def _test_fields(found: Survey, trusted_test: bool) -> Iterator[str]:
    """Fields of the data section that say what the test set is."""
    if found.held_out:
        yield (
            "test_fraction: 0.2 # no test set was found: this share of each class is held out of "
            "the training images, the same for every seed, copies on one side"
        )
    if trusted_test:
        yield "test_labels: trusted # as --trusted-test says: every accuracy is measured by them"
    elif found.noisy_labels:
        yield "test_labels: trusted # train_labels, which are the truth"
    else:
        yield (
            "test_labels: unchecked # the labels as they are: accuracy is agreement with them, and "
            "no verdict follows; trusted if you know that they are right"
        )


def base(source: Path) -> str:
    """The folder's name, or the file's name without its suffix."""
    path = source.resolve()
    name = path.name if source.is_dir() else path.stem
    return "".join(character if character.isprintable() else "_" for character in name)
