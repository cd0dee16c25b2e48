"""Text that spreadsheets do not run, and its way back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainable.storage.spreadsheets import FORMULA, escaped, unescaped

TEXT = st.text(st.sampled_from([*"".join(FORMULA), "'", "a", " "]), max_size=6)


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1+cmd|' /C calc'!A0", "@SUM(A1)", "\t=1", "\r=1", "＝1", "'=1"]
)
def test_what_could_be_a_formula_gets_an_apostrophe(text):
    assert escaped(text) == f"'{text}"


@pytest.mark.parametrize("value", ["crow", "train/=cmd/1.png", "", "'crow'", "a=1", -1, 0.5, None])
def test_other_values_stay(value):
    assert escaped(value) is value


@given(TEXT)
def test_every_text_comes_back(text):
    assert unescaped(escaped(text)) == text
    assert not escaped(text).startswith(FORMULA)


@given(TEXT.filter(lambda text: not text.startswith("'")))
def test_text_that_a_person_wrote_without_an_apostrophe_stays(text):
    assert unescaped(text) == text
