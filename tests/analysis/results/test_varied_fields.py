"""Which fields differ between configurations."""

from analysis.results.varied_fields import varied_fields


def test_fields_that_differ_are_kept_with_their_paths():
    found = varied_fields(
        {
            "a": {"seed": 0, "method": {"name": "x", "weight": 1, "same": 3}},
            "b": {"seed": 1, "method": {"name": "x", "weight": 2.5, "same": 3}},
        }
    )
    assert found == {"a": {"method.weight": 1}, "b": {"method.weight": 2.5}}


def test_a_field_that_only_some_have_differs_if_these_do():
    found = varied_fields({"a": {"x": 1, "y": 1}, "b": {"x": 1}, "c": {"y": 2}})
    assert found == {"a": {"y": 1}, "b": {}, "c": {"y": 2}}


def test_mixtures_and_lists_are_text_and_switches_stay():
    found = varied_fields(
        {
            "a": {"warmup": "auto", "on": True, "prior": None, "rates": [1, 2]},
            "b": {"warmup": 5, "on": False, "prior": 2.0, "rates": [1, 3]},
        }
    )
    assert found["a"] == {"warmup": "auto", "on": True, "prior": "null", "rates": "[1, 2]"}
    assert found["b"] == {"warmup": "5", "on": False, "prior": "2.0", "rates": "[1, 3]"}
