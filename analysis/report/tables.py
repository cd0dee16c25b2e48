"""Tables as text, for the terminal, Markdown, LaTeX and the page."""

from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd

from analysis.report.cells import (
    bounds,
    finished,
    interval,
    known,
    number,
    p_value,
    percentages,
    seeds,
    signed,
    spread,
)
from analysis.results.measure import TRUSTED, Measure
from analysis.results.read import Results
from analysis.results.study_plan import BASELINE
from analysis.stats.comparison import ALONE
from trainable.storage.names import (
    BEST_ACCURACY,
    EPOCH_SECONDS,
    FORWARDS,
    LABEL_WAVE_ACCURACY,
    LAST10,
    SELECTED_ACCURACY,
)

SHORT = {
    LAST10: "last-10 {measure} %",
    SELECTED_ACCURACY: "selected {measure} %",
    BEST_ACCURACY: "best {measure} %",
    LABEL_WAVE_ACCURACY: "label wave {measure} %",
    ALONE: "network 0 alone, last-10 %",
}
"""Headers of the accuracies; `NOTE` explains them."""

NOTE = (
    "{cell} is the ensemble's {of_ensemble}, mean ± sd over seeds. “last-10” is the mean "
    "of the last ten epochs, or of the last third of fewer than 30. “selected” is the epoch with "
    "the best noisy validation accuracy. "
    "“best” is the highest of all epochs, for comparison with the literature only. Differences are "
    "arm − baseline on the seeds on which neither run failed, in points. A run has failed if it "
    "ended with an error, has collapsed, or predicts a class hardly any more. "
)
LABEL_WAVE = (
    "“label wave” is the epoch in which the fewest training images change their predicted class: "
    "the first local minimum of the mean of three epochs (Yuan et al., ICLR 2025), for which no "
    "label is needed. "
)
FIXED = (
    "The intervals hold for all arms of a family together (95 %, approximate). p is exact: joint "
    "sign flips of whole seeds, corrected for all arms of the family (the named arms, or the "
    "values of one factor). Centers have 4 % of the error, failures 1 %."
)
SEQUENTIAL = (
    "Seeds are added until a question is decided. The intervals are confidence sequences at the "
    "arm's part of the family's error of 5 %, of which failures have a fifth: they and p hold at "
    "every number of seeds, if differences are symmetric around their center."
)


WITHOUT_VERDICTS = (
    " Differences and p are those of agreement with unchecked labels, which can differ from those "
    "of accuracy in size and sign: no verdict follows from them."
)


def note(study: Results) -> str:
    """Return the explanation of the tables of comparisons."""
    measure = study.measure
    text = NOTE.format(cell=measure.cell.capitalize(), of_ensemble=measure.of_ensemble)
    if LABEL_WAVE_ACCURACY in study.trials.columns:
        text += LABEL_WAVE
    text += FIXED if study.design is None else SEQUENTIAL
    if not measure.decides:
        text += WITHOUT_VERDICTS
    return text


def header(metric: str, measure: Measure) -> str:
    """Return the header of an accuracy."""
    return SHORT[metric].format(measure=measure.header)


def shown(table: pd.DataFrame, measure: Measure = TRUSTED) -> pd.DataFrame:
    """Return the comparison as text with readable headers, in percent and points."""
    return rows(
        table,
        {
            "n": finished,
            header(LAST10, measure): lambda row: spread(row["mean"], row["sd"]),
            "difference [interval]": _difference,
            "p": lambda row: p_value(row["p_adjusted"]),
        },
    )


def _difference(row: dict[Any, Any]) -> str:
    """Write an arm's difference to the baseline, and its pairs if fewer than its seeds."""
    text = interval(row["difference"], row["low"], row["high"])
    if 0 < row["pairs"] < row["n"]:
        text += f" ({row['pairs']:.0f} pairs)"
    return text


def judged(table: pd.DataFrame, measure: Measure = TRUSTED) -> pd.DataFrame:
    """Return the comparison as text, with verdicts."""
    return with_verdicts(shown(table, measure), table)


def with_verdicts(text: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Add the verdicts, unless they are about other differences than those of the text."""
    if "judged_by" in table and (table["judged_by"] != "").any():
        return text
    return text.assign(verdict=table["verdict"].to_list())


def accuracies(tables: dict[str, pd.DataFrame], measure: Measure = TRUSTED) -> pd.DataFrame:
    """Return all accuracies of each arm, from the comparison by each metric.

    A cell is mean ± sd [95 % t interval of the mean].
    """
    first = next(iter(tables.values()))
    text = rows(first, {"n": finished})
    for metric, table in tables.items():
        text[header(metric, measure)] = [_mean(row) for row in table.to_dict("records")]
    text["sd within the last 10"] = [number(value) for value in first["within_sd"]]
    return text


def _mean(row: dict[Any, Any]) -> str:
    """Write an arm's mean ± sd [95 % t interval of the mean]."""
    text = spread(row["mean"], row["sd"])
    if known(row["mean_low"]):
        text += f" [{row['mean_low']:.2f}, {row['mean_high']:.2f}]"
    return text


def details(table: pd.DataFrame) -> pd.DataFrame:
    """Return all statistics of the paired differences."""
    compared = table[table["pairs"].fillna(0) > 0]
    text = rows(
        compared,
        {
            "pairs": lambda row: f"{row['pairs']:.0f}",
            "difference": lambda row: signed(row["difference"]),
            "95 % t interval": lambda row: bounds(row["t_low"], row["t_high"]),
            "95 % bootstrap": lambda row: bounds(row["boot_low"], row["boot_high"]),
            "p alone": lambda row: p_value(row["p"]),
            "p": lambda row: p_value(row["p_adjusted"]),
            "step-down p": lambda row: p_value(row["p_step_down"]),
            "effect size d": lambda row: signed(row["effect_size"]),
            "seeds improved": lambda row: f"{100 * row['improvement']:.0f} %",
            "sd ratio": lambda row: number(row["spread_ratio"]),
            "pairing": lambda row: number(row["pairing"]),
            "only arm / baseline failed": lambda row: (
                f"{row['fails_more']:.0f} / {row['fails_less']:.0f}"
            ),
            "failure rates": lambda row: percentages(row["rate_low"], row["rate_high"]),
            "seeds to decide": lambda row: seeds(row["more_low"], row["more_high"]),
        },
    )
    return with_verdicts(text, compared)


def costs(table: pd.DataFrame) -> pd.DataFrame:
    """Return seconds by part, work and their ratios."""
    headers = {EPOCH_SECONDS: "seconds a trial", "seconds_ratio": "× baseline"}
    for column in table.columns:
        if column.startswith("time/") and column != EPOCH_SECONDS:
            part = column[len("time/") : -len("_s")]
            headers[column] = f"{part} s"
    headers[FORWARDS] = "million forwards"
    headers["work_ratio"] = "work × baseline"
    if FORWARDS in table:
        table = table.assign(**{FORWARDS: table[FORWARDS] / 1e6})
    place = ["setting", "arm"] if _has_settings(table) else ["arm"]
    measured = [name for name in headers if name in table]
    return table[place].join(table[measured].map(number)).rename(columns=headers)


DETAILS = (
    "The t interval (a model) and p alone (exact sign flips) are of one arm, as if there were no "
    "others and no looks. p and step-down p are corrected for the family; step-down p leaves out "
    "arms that are more extreme. Bootstrap intervals are too narrow for few seeds. d: mean of the "
    "paired differences / their sd. sd ratio: the arm's sd over seeds / the baseline's. Pairing: "
    "variance that the difference of unpaired runs would have / that of the pairs, which is the "
    "factor in seeds that pairing has saved. Failure rates: interval of the difference of the "
    "rates of failures, arm − baseline (exact, at every number of seeds). Seeds to decide: a range "
    "from what is plausible of effect and spread."
)
COSTS = (
    "Means over completed trials: seconds of training, seconds of its parts, and forward passes of "
    "one image (a backward pass counts as two). Ratios are to the baseline on the same seeds."
)
RANKS = (
    "Rank of each arm in each setting by its mean last-10 {measure}; n as above. The mean rank "
    "is shown for arms with a rank in every setting. Arms on other data or noise than the baseline "
    "have no rank."
)
EFFECTS = (
    "A main effect is the change from a factor's first value to its second, averaged over the "
    "values of the others. An interaction is the difference of that change between the values of "
    "another factor. Both are in points, paired by seed."
)
THRESHOLDS = (
    "Training samples whose clean probability (mean of the networks) after the warm-up exceeds a "
    "threshold: their number, the share of wrong labels, and the shares of the smallest and the "
    "largest class. Retrained is the last-10 {measure} of the arm that trains on these samples "
    "only, if there is one. Values are means over seeds of the baseline, or of the arm that it "
    "depends on."
)


def effects(table: pd.DataFrame) -> pd.DataFrame:
    """Return main effects and interactions as text."""
    text = rows(
        table.assign(arm=table["effect"]),
        {
            "kind": lambda row: row["kind"],
            "pairs": lambda row: f"{row['pairs']:.0f}",
            "points [95 % interval]": lambda row: interval(
                row["difference"], row["low"], row["high"]
            ),
            "Holm p": lambda row: p_value(row["p_holm"]),
            "verdict": lambda row: row["verdict"],
        },
    )
    return text.rename(columns={"arm": "effect"})


def thresholds(table: pd.DataFrame) -> pd.DataFrame:
    """Return the samples above each threshold as text."""
    columns: dict[str, Callable[[dict[Any, Any]], str]] = {
        "kept": lambda row: f"{row['kept']:.0f}",
        "wrong labels %": lambda row: number(row["residual_noise"]),
    }
    if table["retrained"].notna().any():
        columns["retrained %"] = lambda row: number(row["retrained"])
    columns["smallest class %"] = lambda row: number(row["smallest_class"])
    columns["largest class %"] = lambda row: number(row["largest_class"])
    text = rows(table.assign(arm=table["threshold"].map("{:g}".format)), columns)
    return text.rename(columns={"arm": "threshold"})


def by_setting(tables: dict[str, pd.DataFrame], measure: Measure = TRUSTED) -> pd.DataFrame:
    """Return a table with arms as rows, settings as columns, one line per accuracy.

    This is the layout of the DivideMix paper's Table 5.
    """
    texts: dict[tuple[str, str], dict[str, str]] = {}
    arms: dict[str, None] = {}
    for metric, table in tables.items():
        for row in table.to_dict("records"):
            arms[row["arm"]] = None
            text = texts.setdefault((row["arm"], metric), {})
            text[row["setting"]] = spread(row["mean"], row["sd"])
    settings: dict[str, None] = {}
    for text in texts.values():
        settings.update(dict.fromkeys(text))
    lines = []
    for arm in arms:
        for metric in tables:
            if (arm, metric) in texts:
                line = {"arm": arm, "accuracy": header(metric, measure)}
                for setting in settings:
                    line[setting] = texts[arm, metric].get(setting, "")
                lines.append(line)
    return pd.DataFrame(lines)


def ranks(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rank of each arm (row) in each setting (column); 1 is the highest mean.

    The last column is the mean of an arm's ranks. It is empty if the arm lacks a rank in some
    setting. Arms on other data or noise than the baseline have no ranks.
    """
    table = table[table["paired"] | (table["arm"] == BASELINE)]
    means = table.pivot(index="arm", columns="setting", values="mean")
    means = means.reindex(table["arm"].unique())
    places = means[table["setting"].unique()].rank(ascending=False, method="min")
    text = places.map(lambda place: f"{place:.0f}" if known(place) else "")
    text["mean place"] = [number(value) for value in places.mean(axis=1, skipna=False)]
    return text.rename_axis(columns=None).reset_index()


def families(table: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield (setting, family, rows) of each compared family, the baseline's row first."""
    for setting, group in table.groupby("setting", sort=False):
        for family in dict.fromkeys(group.loc[group["paired"], "family"]):
            members = (group["family"] == family) & group["paired"]
            yield str(setting), str(family), group[members | (group["arm"] == BASELINE)]


def rows(table: pd.DataFrame, columns: dict[str, Callable[[dict[Any, Any]], str]]) -> pd.DataFrame:
    """Return setting (if there are any), arm, and the text of each column."""
    lines = []
    for row in table.to_dict("records"):
        line = {"setting": row["setting"], "arm": row["arm"]}
        for name, text in columns.items():
            line[name] = text(row)
        lines.append(line)
    shown = pd.DataFrame(lines, columns=["setting", "arm", *columns])
    if not _has_settings(table):
        shown = shown.drop(columns="setting")
    return shown


def _has_settings(table: pd.DataFrame) -> bool:
    return bool((table["setting"] != "").any())


def plain(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table as text, without empty columns.

    Fractions have two decimals; parameters (columns with a dotted name) have four significant
    digits.
    """
    shown = table.apply(_plain_column)
    return shown.loc[:, (shown != "").any()]


def _plain_column(column: "pd.Series[Any]") -> "pd.Series[Any]":
    is_parameter = "." in str(column.name)

    def text(value: Any) -> str:
        if pd.isna(value):
            return ""
        if not isinstance(value, float):
            return str(value)
        if is_parameter:
            return f"{value:.4g}"
        return number(value)

    return column.map(text)
