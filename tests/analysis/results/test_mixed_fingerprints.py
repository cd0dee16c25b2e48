"""Sentences about trials that were not made alike."""

from analysis.results.mixed_fingerprints import mixed


def trial(**change):
    fingerprint = {
        "code": "c",
        "versions": {"torch": "2"},
        "device": "cpu",
        "threads": 1,
        "precision": "float32",
    }
    return {"fingerprint": fingerprint | change}


def test_equal_fingerprints_need_no_sentence():
    assert mixed([("a", trial()), ("b", trial())]) == []
    assert mixed([]) == []


def test_each_difference_is_said_with_its_counts_the_most_common_first():
    trials = [
        ("a", trial(device="cuda H100")),
        ("b", trial()),
        ("c", trial(code="other")),
        ("d", trial()),
    ]
    assert mixed(trials) == [
        "finished trials differ in code: c (3), other (1)",
        "finished trials differ in device: cpu (3), cuda H100 (1)",
    ]


def test_the_data_differ_by_seed_and_are_not_compared():
    assert mixed([("a", trial(data="1", noise="2")), ("b", trial(data="3", noise="4"))]) == []


def test_a_trial_without_a_fingerprint_differs():
    assert "finished trials differ in code: c (1), None (1)" in mixed([("a", trial()), ("b", {})])


def test_trials_trained_in_parts_are_named_and_beyond_five_counted():
    parts = [(f"arm/seed={k}", {**trial(), "earlier": [{"code": "old"}]}) for k in range(7)]
    assert mixed(parts[:2]) == [
        "trained by different code or machines in parts: arm/seed=0, arm/seed=1"
    ]
    (found,) = mixed(parts)
    assert found.endswith("arm/seed=3, arm/seed=4 and 2 more")
