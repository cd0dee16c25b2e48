"""`init`: a commented study file for somebody's own data, from a look at it."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from trainable.data.survey import Survey

STEPS = 3000
"""Batches of 64 images that training should take in all, where an epoch has few."""
LARGEST = 64
"""Pixels: the most that small_cnn takes."""

TEMPLATE = """\
# Written by `python -m orchestrator init`; fields are explained in trainable/config/trial.py
# and trainable/config/data.py.
#   python -m orchestrator plan {file}          what will run;  --cost: how long it takes
#   python -m orchestrator run {file}           --seeds 0 --set base.train.epochs=2 for a first try
#
{found}
name: {name}
kind: ablation
seeds: [0, 1, 2, 3, 4, 5, 6, 7] # paired; three arms need seven or more to reach p < 0.05

base: # the arm named `baseline`
  data:
    name: {form}
    path: {path}
{data}    validation_fraction: {validation} # share of the training set held out, with its labels as they are
    crop_padding: {padding} # pixels that an image may be shifted in training
    flip: {flip} # left-right; false where left and right mean something (digits, text, road signs)
  noise: {{name: none}} # the labels as they are; {{name: symmetric, rate: 0.2}} would put wrong ones on top
  model: {{name: small_cnn}} # or preact_resnet18, for a GPU
  train: {{epochs: {epochs}, batch_size: {batch}, lr: 0.02, lr_milestones: [{milestone}]}}
  method:
    name: dividemix
    warmup_epochs: {warmup} # plain training, before wrong labels are learnt by heart
    lambda_u: 0 # weight of the unlabeled loss: 0 up to about 20 % wrong labels, 25 to 150 for more
    conf_penalty: "on" # people confuse classes that look alike

arms: # what differs from the baseline
  no_co_refine: {{method.co_refine: false}}
  one_network: {{method.networks: 1}}
  cross_entropy: {{method.name: cross_entropy}}

factors: # one at a time around the baseline
  method.lambda_u: {{values: [25]}}

resources: {{cpu: 1, gpu: auto}}
"""


def describe(found: Survey) -> Iterator[str]:
    """What was found, a line each."""
    names = found.class_names
    yield f"{len(names)} classes: {', '.join(names[:10])}{', …' if len(names) > 10 else ''}"
    for split, counts in found.counts.items():
        yield f"{split}: {sum(counts)} images, {min(counts)} to {max(counts)} a class"
    sizes = [f"{width}×{height}" for (height, width), _ in found.sizes.most_common(3)]
    rest = f" and {len(found.sizes) - 3} other sizes" if len(found.sizes) > 3 else ""
    yield f"{'grey' if found.grey else 'colour'} images of {', '.join(sizes)}{rest} pixels"
    if found.noisy_labels:
        yield "train_noisy_labels: training sees these, and train_labels are the truth"
    yield from (f"suspicious: {problem}" for problem in found.problems)


def study_text(found: Survey, source: Path, file: Path) -> str:
    """The study for data at `source`, to be written to `file`."""
    epochs = min(100, max(30, -(-STEPS * 64 // found.train)))
    side = min(min(size) for size in found.sizes)
    return TEMPLATE.format(
        file=file,
        found="\n".join(f"# {line}" for line in describe(found)),
        name=json.dumps(
            re.sub(r"[^a-z0-9_.=+,-]", "_", base(source).lower()).lstrip(".=+,-") or "mine"
        ),
        form=found.form,
        path=json.dumps(_path(source, file), ensure_ascii=False),
        data="".join(f"    {line}\n" for line in _fields(found)),
        validation=0.1 if found.train < 10_000 else 0.05,
        padding=max(1, min(4, side // 8)),
        flip="false" if found.grey else "true",
        epochs=epochs,
        batch=64 if found.train >= 2000 else 32,
        milestone=epochs // 2,
        warmup=max(5, epochs // 6),
    )


def _fields(found: Survey) -> Iterator[str]:
    """Fields of the data section that depend on what was found."""
    if found.form == "image_folder":
        height, width = found.sizes.most_common(1)[0][0]
        if len(found.sizes) > 1 or max(height, width) > LARGEST:
            short = sorted(min(size) for size in found.sizes.elements())[found.sizes.total() // 2]
            size = max(16, min(LARGEST, short // 8 * 8))
            yield f"size: {size} # pixels: the shorter side is scaled to it, and the square in the middle is kept"
        if found.grey:
            yield "channels: 1 # grey"
    if not found.noisy_labels:
        yield "labels_are_true: false # nobody knows which are wrong; true, if you only try noise of your own making"


def base(source: Path) -> str:
    """What the study is called after: the folder's name, or the file's without its suffix."""
    name = source.resolve().name if source.is_dir() else source.resolve().stem
    return "".join(character if character.isprintable() else "_" for character in name)


def _path(source: Path, file: Path) -> str:
    """The data's path as the study writes it: relative where both lie close together."""
    relative = Path(os.path.relpath(source.resolve(), file.resolve().parent))
    return str(source.resolve() if relative.parts[:2] == ("..", "..") else relative)
