"""Rounding by the accountants' rule, and formulas on decimals, against Python's own decimals."""

import ast
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import numpy as np
import pytest

from plotsim_core.columns.decimals import as_decimals, as_floats, decimal_array, units_of
from plotsim_core.columns.exact import decimal_count, exact_column, exact_value
from plotsim_core.config.formula import parse_formula
from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.decimals import half_up
from tests.marks import slow_but

COUNT = 1_000_000


def rounded(value: float, digits: int) -> float:
    """The decimal that a double is written as, rounded by hand."""
    return float(Decimal(repr(value)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))


def test_known_halves() -> None:
    values = np.array([2.675, 1.005, 0.125, -0.125, 2.5, 0.5, 0.49999999999999994, -0.001, 1e300, np.nan, np.inf])
    assert half_up(values, 2).tolist()[:4] == [2.68, 1.01, 0.13, -0.13]
    assert half_up(values, 0).tolist()[4:6] == [3.0, 1.0]
    assert str(half_up(values, 2).tolist()[7:]) == "[0.0, 1e+300, nan, inf]"


@pytest.mark.parametrize("digits", slow_but([0, 2, 4]))
def test_rounding_is_that_of_decimals(digits: int) -> None:
    """Of doubles of all sizes, and of decimals that lie on a half or a decimal beside it."""
    drawn = np.random.default_rng(7)
    spread = drawn.normal(size=COUNT // 2) * 10.0 ** drawn.integers(-4, 10, COUNT // 2)
    whole = drawn.integers(-(10**9), 10**9, COUNT // 2)
    near = (10 * whole + drawn.choice([4, 5, 6], COUNT // 2)) / 10.0 ** (digits + 1)
    for values, tolerance in ((near, 0.0), (spread, 2.0**-49)):
        pairs = zip(values.tolist(), half_up(values, digits).tolist(), strict=True)
        wrong = [(value, one) for value, one in pairs if rounded(value, digits) != one]
        # what is next to a half counts as the half: the rounding of a number that is a little larger
        assert [value for value, one in wrong if rounded(value * (1 + tolerance), digits) != one] == []


def test_what_doubles_cannot_tell_from_a_half_is_one() -> None:
    """By a part in 2**50 of the number, and by no more than twice that."""
    half = 2.675
    steps = [half - step * np.spacing(half) for step in (0, 1, 4, 12, 100)]
    assert half_up(np.array(steps), 2).tolist() == [2.68, 2.68, 2.68, 2.67, 2.67]


def test_decimals_are_arrays_and_back() -> None:
    drawn = np.random.default_rng(3).integers(-(10**15), 10**15, 10_000)
    missing = drawn % 7 == 0
    result = decimal_array(drawn, 2, missing)
    expected = [
        None if is_missing else Decimal(int(value)).scaleb(-2) for value, is_missing in zip(drawn, missing, strict=True)
    ]
    assert result.to_pylist() == expected
    assert as_floats(result).tolist()[:5] == pytest.approx(
        [np.nan if d is None else float(d) for d in expected[:5]], nan_ok=True
    )
    assert units_of(result.slice(17, 100)).tolist() == np.where(missing, 0, drawn)[17:117].tolist()
    assert as_decimals(result.cast("float64"), 2).to_pylist() == expected
    with pytest.raises(OverflowError):
        decimal_array(np.array([10**18]), 2)


FORMULAS = {
    "a * b": lambda a, b: a * b,
    "a * b - a / 8 + 0.1 * b": lambda a, b: a * b - a / 8 + b / 10,
    "a * (1 - b / 100)": lambda a, b: a * (1 - b / 100),
    "round(a * b, 1) * 3 - 0.05": lambda a, b: hand(a * b, 1) * 3 - Fraction(1, 20),
    "max(a, b, 1) - min(-a, abs(b))": lambda a, b: max(a, b, Fraction(1)) - min(-a, abs(b)),
    "a * b if a > b else where(b > 1, b, -a)": lambda a, b: a * b if a > b else b if b > 1 else -a,
}


def hand(value: Fraction, digits: int) -> Fraction:
    """A fraction rounded by hand, halves away from zero."""
    scaled = abs(value) * 10**digits
    return (1 if value >= 0 else -1) * Fraction(
        (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator), 10**digits
    )


@pytest.mark.slow
@pytest.mark.parametrize("formula", FORMULAS)
def test_formulas_on_decimals_are_exact(formula: str) -> None:
    """Amounts in thousandths times rates in hundredths, rounded to cents."""
    drawn = np.random.default_rng(11)
    whole = [drawn.integers(-(10**8), 10**8, 20_000), drawn.integers(-500, 20_000, 20_000)]
    a, b = whole[0] / 1000.0, whole[1] / 100.0

    def test(node: ast.expr) -> Floats:
        assert isinstance(node, ast.Compare)
        return (a > b).astype(float) if isinstance(node.comparators[0], ast.Name) else (b > 1).astype(float)

    actual = exact_value(parse_formula(formula), {"a": exact_column(a, 3), "b": exact_column(b, 2)}, test, len(a))
    assert actual is not None
    assert actual.is_exact.all()
    by_hand = [
        hand(FORMULAS[formula](Fraction(int(x), 1000), Fraction(int(y), 100)), 2) * 100 for x, y in zip(*whole, strict=True)
    ]
    assert actual.rounded(2).units.tolist() == by_hand


def test_a_row_with_too_many_digits_is_not_known() -> None:
    a = exact_column(np.array([1e9, 1.5, np.nan, 1e300]), 4)
    assert a.is_exact.tolist() == [True, True, False, False]
    actual = exact_value(parse_formula("a * a"), {"a": a}, lambda node: np.zeros(4), 4)
    assert actual is not None
    assert actual.is_exact.tolist() == [False, True, False, False]
    for formula in ("a / 3", "a / b", "sqrt(a)", "a ** 2", "b + 1", "a * a * a * a * a"):
        assert exact_value(parse_formula(formula), {"a": a}, lambda node: np.zeros(4), 4) is None


def test_places_are_the_decimals_a_number_is_written_with() -> None:
    assert [decimal_count(value) for value in ("2.775", "10", "1e3", "nan", 0.25, 1e-7)] == [3, 0, 0, None, 2, 7]
