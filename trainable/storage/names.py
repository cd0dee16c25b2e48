"""File names and metric names of the results folder, each defined once.

`orchestrator`, `trainable` and `analysis` read and write the same folders and share these names; a
test rejects the literals in other modules. Methods use literal metric names, and the same test
checks that `METRICS` has them. A name with `{k}` is a template: `AUC.format(k=0)` is the name for
network 0. The module imports the standard library only.
"""

import functools
import re

# --- the folder of a study ---

STUDY = "study.yaml"  # the study as it was last run
PLAN = "trials.json"  # every planned trial
PROVENANCE = "provenance.json"  # one entry a run: versions, git revision, host, command line
STUDY_LOCK = "study.lock"  # held by the one process that runs the study
SHARD_LOCK = (
    "shard-{index}-of-{of}-{plan}.lock"  # held by the process that runs one shard; a template
)
LOCK_GUARD = ".study.lock.guard"  # held for a moment while a lock is taken or released
JOURNAL = "search.journal"  # Optuna's journal, an index of a search's trial folders
RUNS = "runs"  # folder: runs/[<setting>/]<arm>/seed=<n>/ is one trial
ARCHIVE = "archive"  # folder: stale trials, one subfolder per run that moved some
REGISTRATION = "registration.jsonl"  # what the study asks, before its first result; and changes
LOOKS = "looks.jsonl"  # of a sequential study: when arms joined, and what each look found
CHECKED = "checked.json"  # an index of finished trials whose files were found whole
REPORT = "report"  # folder: what `report` writes
REPORT_PAGE = "index.html"  # in REPORT: the report for a browser
REPORT_TEXT = "report.md"  # in REPORT: the same tables as Markdown
TABLES = "tables"  # in REPORT: every table as CSV
FIGURES = "figures"  # in REPORT: every figure
AUDIT = "audit"  # folder: what `audit` writes
PROFILE = "profile"  # folder: traces of PyTorch's profiler, one per arm

# --- the folder of a trial ---

TRIAL = "trial.json"  # id, resolved configuration, fingerprint
METRICS_FILE = "metrics.jsonl"  # one row per epoch
SUMMARY = "summary.json"  # final metrics; it exists if and only if the trial is done
FAILURE = "failure.json"  # kind, message, traceback, retry, attempts of the last failed attempt
STOPPED = "stopped.json"  # epoch and reason; a search's scheduler has stopped the trial for good
OWNER = "owner.json"  # token, host and process that may write here
CHECKPOINT = "checkpoint.pt"  # complete state under a checksum; deleted once the trial is done
PREVIOUS_CHECKPOINT = "checkpoint.prev.pt"  # the previous one, in case the newest is damaged
MODEL = "model.pt"  # networks after the last epoch, with what is needed to use them
BEST_MODEL = "best.pt"  # networks after the epoch with the best validation accuracy
SAMPLES = "samples.npz"  # given and true label, loss and clean probability of each sample
LOG = "train.log"  # messages with their time
SEGMENT = "segment-{number:02}"  # in a Ray Tune trial: what continues another trial's checkpoint
INHERITED = "inherited.jsonl"  # in a segment: the rows up to the epoch at which it begins

# --- metrics: names that readers use ---

TEST_ACCURACY = "test/accuracy"
TEST_TOP5 = "test/top5"
NETWORK_ACCURACY = "test/accuracy_net{k}"
LAST10 = "test/accuracy_last10"
LAST10_SD = "test/accuracy_last10_sd"
NETWORK_LAST10 = "test/accuracy_net{k}_last10"
BEST_ACCURACY = "test/accuracy_best"
SELECTED_ACCURACY = "test/accuracy_selected"
LABEL_WAVE_ACCURACY = "test/accuracy_label_wave"
VALIDATION_ACCURACY = "val/accuracy"
TRAINING_CHANGED = "train/changed"
DIVISION_CHANGED = "division/changed"
AUC = "division/auc_net{k}"
LABELED_FRACTION = "division/labeled_fraction_net{k}"
PRECISION = "division/precision_net{k}"
RECALL = "division/recall_net{k}"
# parameters: mean, sd, weight; components: clean, noisy
MIXTURE = "mixture/{parameter}_{component}_net{k}"
EPOCH_SECONDS = "time/epoch_s"
FORWARDS = "work/forwards"

METRICS: dict[str, str] = {
    TEST_ACCURACY: (
        "accuracy of the ensemble on the clean test set after an epoch, %; in a summary after the "
        "last one"
    ),
    TEST_TOP5: (
        "share of test images whose true class is among the ensemble's five best, %; from 20 "
        "classes on"
    ),
    NETWORK_ACCURACY: "accuracy of network k alone on the clean test set, %",
    LAST10: "mean test accuracy of the last epochs, ten or a third of fewer than 30, %",
    LAST10_SD: ("standard deviation of the test accuracy over the same epochs, percentage points"),
    NETWORK_LAST10: "mean test accuracy of network k alone over the same epochs, %",
    BEST_ACCURACY: (
        "best test accuracy of any epoch, %; selected on the test set, for comparison with papers "
        "only"
    ),
    SELECTED_ACCURACY: "test accuracy at the epoch with the best validation accuracy, %",
    LABEL_WAVE_ACCURACY: (
        "test accuracy at the epoch in which the fewest training images change their predicted "
        "class (Label Wave), %"
    ),
    "ilsvrc12/accuracy": "accuracy of the ensemble on ILSVRC12's validation images, %",
    "ilsvrc12/top5": "top-5 accuracy of the ensemble on ILSVRC12's validation images, %",
    VALIDATION_ACCURACY: "agreement of the ensemble with the given labels of the validation set, %",
    "train/accuracy_given": (
        "agreement of the ensemble with the given labels of the training set, %"
    ),
    "train/accuracy_true": "agreement of the ensemble with the true labels of the training set, %",
    "train/agreement": "share of training samples that both networks predict alike, %",
    TRAINING_CHANGED: (
        "share of the training samples whose class in the training pass is another one than in "
        "the epoch before, mean of the networks, %"
    ),
    DIVISION_CHANGED: (
        "share of the training samples whose class in the pass before the epoch is another one "
        "than before the last epoch, mean of the networks, %"
    ),
    AUC: "area under the ROC curve of network k's clean probability, 0 to 1",
    "division/auc_loss_net{k}": (
        "area under the ROC curve of the negative loss, if the division also uses the embedding, "
        "0 to 1"
    ),
    LABELED_FRACTION: "share of the training samples in the labeled set of network k, 0 to 1",
    PRECISION: "share of the labeled set whose given label is right, 0 to 1",
    RECALL: "share of the right labels that are in the labeled set, 0 to 1",
    "division/residual_noise_net{k}": "share of the labeled set whose given label is wrong, 0 to 1",
    "division/agreed_fraction_net{k}": (
        "share of the training samples that both divisions agree to label, 0 to 1"
    ),
    "division/threshold_net{k}": (
        "clean probability above which a sample enters the labeled set, 0 to 1"
    ),
    "division/failed": "1 from the epoch in which `guard` undoes the division, 0 before",
    "mixture/mean_clean_net{k}": "mean of the clean component, normalised loss",
    "mixture/mean_noisy_net{k}": "mean of the noisy component, normalised loss",
    "mixture/sd_clean_net{k}": "standard deviation of the clean component, normalised loss",
    "mixture/sd_noisy_net{k}": "standard deviation of the noisy component, normalised loss",
    "mixture/weight_clean_net{k}": "mixing weight of the clean component, 0 to 1",
    "mixture/weight_noisy_net{k}": "mixing weight of the noisy component, 0 to 1",
    "guess/accuracy": "share of unlabeled samples whose guessed label is right, %",
    "loss/labeled": "mean loss of the labeled samples, nats",
    "loss/unlabeled": "mean squared error of the unlabeled samples, before its weight",
    "loss/prior": "divergence of the mean prediction from the class prior, nats",
    "loss/contrast": "divergence between the networks' predictions (JoCoR), nats",
    "loss/consistency": "negative cosine of the features of two views (SSR+), −1 to 1",
    "relabel/fraction": "share of the training samples that have got another label, 0 to 1",
    "relabel/accuracy": "share of these whose new label is right, %",
    "relabel/labeled_accuracy": (
        "share of the labeled set whose label, given or new, is right (SSR+), %"
    ),
    "loss/early_learning": "early-learning regularisation term (ELR), before its weight, nats",
    "warmup/separation": (
        "distance of the means of the two loss components after a warm-up epoch, nats"
    ),
    "warmup/kappa": (
        "agreement of the networks at the end of warm-up with the given labels of the validation "
        "set, beyond chance (Cohen's kappa), −1 to 1"
    ),
    "schedule/lr": "learning rate of the epoch",
    "schedule/lambda_u": "weight of the unlabeled loss at the end of the epoch",
    "schedule/forget_rate": "share of each batch that is left out, 0 to 1",
    EPOCH_SECONDS: "wall time of an epoch, s; in a summary of all epochs",
    "time/divide_s": "wall time of dividing the training samples, s; in a summary of all epochs",
    "time/train_s": "wall time of training, s; in a summary of all epochs",
    "time/eval_s": "wall time of testing and validation, s; in a summary of all epochs",
    FORWARDS: (
        "image-forward equivalents, a backward pass counts as two; in a summary of all epochs"
    ),
}
"""Metrics of rows and summaries, with their units. A summary has the value of the last epoch unless
the text states otherwise."""

FIELDS: dict[str, str] = {
    "epoch": "number of the epoch, from 1",
    "phase": (
        "what the epoch did: `warmup` (also plain training and `retrain`), `dividemix`, `fallback` "
        "(after `guard` has undone the division), or the method's name"
    ),
    "epochs": "number of trained epochs",
    "selected_epoch": "the epoch with the best validation accuracy, the earliest of equals",
    "label_wave_epoch": "the epoch that Label Wave selects",
    "noise_rate": (
        "share of training labels that are wrong, 0 to 1; null where the true labels are unknown"
    ),
    "noise_rate_nominal": "the rate that the configuration asks for, 0 to 1",
    "noise_transition": (
        "P(given label | true label), one row per true class; up to 100 classes, samples.npz has "
        "both labels of every sample"
    ),
    "annotator_agreement": (
        "share of pairs of annotators' labels of the same training image that are equal, 0 to 1; "
        "null: no image has two"
    ),
    "annotator_wrong": "share of wrong labels of each annotator on the training images, 0 to 1",
    "data_hash": "hash of the images and true labels",
    "content_hash": "hash of the bytes of the image files, if there are any",
    "noise_hash": "hash of the given labels",
    "skipped_images": (
        "number of image files that are left out, because they cannot be decoded; absent if none is"
    ),
    "test_labels": (
        "unchecked: the test labels are as uncertain as those of the training set; absent where "
        "they are trusted"
    ),
    "collapsed": "whether the last epochs are nearer to chance than to the best one",
    "lost_classes": (
        "classes that the ensemble predicts for less than a quarter of their share of the test "
        "images"
    ),
    "weight_hashes": "hash of each network's initial weights",
    "finished": "time of the summary, seconds since 1970",
    "files": "checksum of each file that belongs to the summary",
    "checksum": "checksum of all other fields",
}
"""Other fields of rows (the first two) and summaries."""


def registered(name: str) -> bool:
    """Return whether this module defines a field of a row or summary; `{k}` matches any number."""
    return name in FIELDS or is_metric(name)


@functools.cache
def is_metric(name: str) -> bool:
    """Return whether this module defines a metric, a number; `{k}` matches any number."""
    return any(pattern.fullmatch(name) for pattern in _PATTERNS)


_PATTERNS = [re.compile(re.escape(name).replace(r"\{k\}", r"\d+")) for name in METRICS]
