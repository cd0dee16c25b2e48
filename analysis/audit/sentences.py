"""What an audit says in words."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.audit import calibration, tables
from analysis.audit.audit import Audited
from analysis.audit.networks_accuracy import NetworksAccuracy
from analysis.audit.witnesses import COUNTS, Judgement


def sentences(audited: Audited, shown: int, names: Sequence[str]) -> list[str]:
    """Return the results of an audit as sentences.

    Args:
        audited: the audit.
        shown: number of samples on the page.
        names: of the classes.
    """
    judgement = audited.judgement
    found = [*claims(audited), *doubts(audited, names), order(judgement), *reached(audited)]
    listed = f"The {shown} most suspicious labels: given"
    if judgement.suggests:
        listed += " → suggested class"
    if judgement.counts:
        listed += (
            ", the probability that the given label is wrong, and the probability that the "
            "suggested label is correct"
        )
    found.append(f"{listed}.")
    if audited.unjudged:
        found.append(
            f"{audited.unjudged} samples are in every trial's validation set and are not ranked."
        )
    if audited.held_out is not None and len(audited.held_out):
        found.append(_out_of_sample(audited.held_out, len(audited.ranked)))
    if calibration.known(audited.ranked):
        found.append(_in_truth(audited))
    return found


def claims(audited: Audited) -> list[str]:
    """Return what the audit says of its networks and of the number of wrong labels."""
    judgement = audited.judgement
    samples = len(audited.ranked)
    if judgement.counts:
        count, least, most = tables.counted(audited)
        return [
            f"About {count:.0f} of {samples} labels are wrong ({100 * count / samples:.1f} %), "
            f"between {least:.0f} and {most:.0f} if the networks are right about "
            f"{100 * judgement.accuracy:.0f} % of the samples, as their agreement with the given "
            "labels suggests."
        ]
    if judgement.failed:
        why = (
            "The division failed: after it, the networks agree less with the validation labels "
            "than after the warm-up."
        )
    elif judgement.outdone:
        why = "Plain training agrees with more of the validation labels than these networks."
    elif np.isnan(judgement.accuracy):
        why = "The networks' accuracy cannot be estimated: these trials have no division."
    else:
        # Rounded down: 92.7 % are not the 93 % that are needed.
        right = math.floor(100 * judgement.accuracy + 1e-9)
        why = (
            f"The networks are right about {right} % of the samples, as far as their agreement "
            f"with the given labels shows; {100 * COUNTS:.0f} % are needed."
        )
        if judgement.networks.by_division >= COUNTS:
            why += f" {_contradiction(judgement.networks)}"
    found = [f"{why} How many labels are wrong, and how probably each is, cannot be said."]
    if judgement.suggests:
        found.append("Suggested labels are guesses without a probability: look at each of them.")
    else:
        found.append("No other labels are suggested.")
    return found


def _contradiction(networks: NetworksAccuracy) -> str:
    """Say why the number of labels that the division calls wrong is not trusted."""
    return (
        f"The division calls {100 * networks.called_wrong:.0f} % of the labels wrong, but where "
        f"the networks are surest, they disagree with {100 * networks.surely_wrong:.0f} % of the "
        "labels only. The difference may be right labels of samples that are hard for these "
        "networks."
    )


def doubts(audited: Audited, names: Sequence[str]) -> list[str]:
    """Name the classes of which nothing is claimed; `names` are those of all classes."""
    judgement = audited.judgement
    if not judgement.doubtful:
        return []
    classes = ", ".join(names[label] for label in judgement.doubtful)
    return [
        f"Look at the samples with these labels first: {classes}. The networks call most of them "
        "another class: most of these labels are wrong, or one class was taken for another. "
        "Nothing is said of single labels there."
    ]


def reached(audited: Audited) -> list[str]:
    """Say what the trials reached on the test set."""
    if not audited.accuracies:
        return []
    mean = np.mean(audited.accuracies)
    return [f"The networks reached {mean:.1f} % {audited.measure.name} (mean of the last epochs)."]


def order(judgement: Judgement) -> str:
    """Say what ordered the labels."""
    witness, *arms = judgement.witnesses
    if witness == "division":
        return "The labels are ordered by DivideMix's division and the networks' predictions."
    votes = "the votes of each sample's nearest neighbours in feature space"
    if not arms:
        return f"The labels are ordered by {votes}."
    trials = " and ".join(f"`{arm}`" for arm in arms)
    text = f"The labels are ordered by their margins over all epochs of {trials}"
    text += f", and by {votes}." if judgement.neighbors else "."
    if len(arms) == 1 and not judgement.failed:
        text += " An arm with `method.name: cross_entropy` would be a second witness."
    return text


def _out_of_sample(held_out: pd.DataFrame, samples: int) -> str:
    """Return how often networks agree with labels that they were not trained on."""
    agreeing = 100 * (held_out["class"] == held_out["given"]).mean()
    text = (
        f"Networks that were not trained on a sample agree with its label for {agreeing:.1f} % of "
        f"{len(held_out)} samples."
    )
    if len(held_out) < samples:
        text += f" {samples - len(held_out)} samples are in folds without a completed trial."
    return text


def _in_truth(audited: Audited) -> str:
    """Return the quality of a ranking with known true labels as sentences."""
    quality = calibration.quality(audited.ranked)
    wrong = quality["wrong"]
    first = 100 * quality["precision@wrong"]
    text = (
        f"{wrong} labels are truly wrong. The AUC of the list is {quality['auc']:.3f}. Its first "
        f"{wrong} samples have a precision of {first:.1f} %."
    )
    if audited.judgement.counts:
        text += (
            f" Samples with a probability above 0.5 have a precision of "
            f"{100 * quality['precision_half']:.1f} % and a recall of "
            f"{100 * quality['recall_half']:.1f} %."
        )
    return text
