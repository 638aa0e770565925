"""Metric math: over single numbers, and over time series with gaps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bicoastal.core.metric_math import Formula

VALUES = {"m1": 10.0, "m2": 0.0, "cpu": 70.0}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("m1", 10),
        ("1 + 2 * 3 - 4 / 2", 5),
        ("(1 + 2) * 3", 9),
        ("-m1 + 1", -9),
        ("IF(m1 > 5, 1, 0)", 1),
        ("IF(m1 > 5 AND m2 > 0, 1, 0)", 0),
        ("m1 > 5 OR m2 > 0", 1),
        ("m1 > 5 && (cpu >= 70 || m2 != 0)", 1),
        ("FILL(m2, 0) <= 0", 1),
        ("MAX(m1, cpu) - MIN(m1, cpu)", 60),
        ("if(m1 == 10, m1, m2)", 10),
    ],
)
def test_formulas(text: str, value: float) -> None:
    assert Formula(text).value(VALUES.__getitem__) == value


@pytest.mark.parametrize("text", ["", "1 +", "(1", "m1 m2", "ANOMALY_DETECTION_BAND(m1, 2)", "1 ? 2", "IF(1)", ")"])
def test_what_is_not_understood_is_said(text: str) -> None:
    with pytest.raises(ValueError, match=r"understood|missing"):
        Formula(text).value(VALUES.__getitem__)


@given(st.text(alphabet="m12() +-*/<>=ANDORIF,.&|", max_size=40))
def test_any_text_gives_a_number_or_is_refused(text: str) -> None:
    try:
        result = Formula(text).value(lambda _: 1.0)
    except ValueError:
        return
    assert result is None or isinstance(result, float | int)
