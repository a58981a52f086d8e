import pytest

from training.evaluation.observed_expected import observed_expected_ratio


@pytest.mark.parametrize(
    ("observed", "expected", "figures"),
    [
        (24, 18.5, (1.297, 0.831, 1.930)),
        # Garwood's exact limits of a count: 0 -> 0 to 3.689, 10 -> 4.795 to 18.390.
        (0, 1.0, (0.0, 0.0, 3.689)),
        (10, 1.0, (10.0, 4.795, 18.390)),
    ],
)
def test_known_intervals(observed, expected, figures):
    ratio = observed_expected_ratio(observed, expected)
    assert (ratio["value"], ratio["lower"], ratio["upper"]) == pytest.approx(figures, abs=6e-4)


def test_nothing_expected_is_refused():
    with pytest.raises(ValueError, match="found none"):
        observed_expected_ratio(3, 0.0)
