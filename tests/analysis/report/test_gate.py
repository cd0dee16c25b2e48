"""The answer to one question, for scripts: only what was decided by the design is decided."""

import json

import numpy as np
import pytest

from analysis.report.gate import NoQuestion, answer

EIGHT = np.arange(8) / 10


def test_a_fixed_list_is_judged_once_all_its_trials_have_ended(study):
    study.arm("baseline", *[70.0] * 8).arm("up", *(71 + EIGHT)).arm("down", *(69 - EIGHT))
    study.arm("same", *[70.0] * 8).arm("late", *(71 + EIGHT[:7]), "missing")
    results = study.read()
    verdicts = {arm: answer(results, arm)["verdict"] for arm in ("up", "down", "same", "late")}
    assert verdicts == {
        "up": "better",
        "down": "worse",
        "same": "equivalent",
        "late": "inconclusive",
    }
    late = answer(results, "late")
    assert (late["final"], late["seeds"]) == (False, 7)
    assert late["difference"] == pytest.approx(1.3)
    assert late["low"] < 1.3 < late["high"]


def test_an_answer_has_every_number_and_is_json(study):
    study.arm("baseline", *[70.0] * 8).arm("up", *(71 + EIGHT), change={3: {"lost_classes": [1]}})
    found = answer(study.read(), "up")
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert (found["schema"], found["study"], found["margin"]) == (1, "small", 0.5)
    assert (found["seeds"], found["pairs"]) == (8, 7)
    assert found["failures"]["arm_only"] == 1
    assert found["text"].startswith("up: +1.36 points [")


def test_numbers_that_do_not_exist_are_null(study):
    study.arm("baseline", 70.0).arm("variant", "missing")
    found = answer(study.read(), "variant")
    assert found["difference"] is found["low"] is found["p"] is None
    assert (found["seeds"], found["verdict"]) == (0, "inconclusive")


def test_what_the_study_does_not_ask_is_refused_with_what_it_asks(study):
    study.arm("baseline", 70.0).arm("a", 71.0).arm("other", 71.0, paired=False)
    study.arm("baseline", 70.0, setting="hard").arm("b", 71.0, setting="hard")
    for arm, setting in (("nope", ""), ("other", ""), ("b", ""), ("baseline", "")):
        with pytest.raises(NoQuestion, match="asks about a, hard/b"):
            answer(study.read(), arm, setting)
    assert answer(study.read(), "b", "hard")["setting"] == "hard"


def test_what_was_not_registered_before_the_results_is_inconclusive(study):
    study.arm("baseline", *[70.0] * 8).arm("up", *(71 + EIGHT))
    study.registered = False
    study.write()
    study.register(ended=16)
    found = answer(study.read(), "up")
    assert (found["verdict"], found["final"]) == ("inconclusive", False)
    assert found["low"] > 0.5
