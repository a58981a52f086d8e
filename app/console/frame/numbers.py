"""Numbers as clinicians write them: 3.1 %, not 0.0312; 3,1 % in Swedish."""

from __future__ import annotations

from dataclasses import dataclass

NARROW_SPACE, MINUS, TO = "\u202f", "\u2212", "\u2013"
WHOLE_FROM = 1000
LEAST_SHOWN = 0.0005
"""A probability below it would be written as 0.0 %, which nobody's risk is."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """Writes numbers in one language.

    Examples
    --------
    >>> en, sv = Numbers("en"), Numbers("sv")
    >>> en.percent(0.0312).replace(NARROW_SPACE, " "), sv.percent(0.0312).replace(NARROW_SPACE, " ")
    ('3.1 %', '3,1 %')
    >>> en.percent(0.0001).replace(NARROW_SPACE, " ")
    '< 0.1 %'
    >>> en.signed(-0.25), sv.signed(1.5)
    ('−0.25', '+1,50')
    >>> sv.decimal(-3.66)
    '3,7'
    >>> sv.plain(1234.5).replace(NARROW_SPACE, ' '), en.plain(71.0)
    ('1 234,5', '71')
    >>> en.fixed(0.81), sv.fixed(-0.043), en.fixed(12345.6)
    ('0.810', '−0,043', '12,346')
    """

    language: str

    def percent(self, probability: float, decimals: int = 1) -> str:
        """A probability in per cent."""
        if probability < LEAST_SHOWN:
            return f"< {self._marked('0.1')}{NARROW_SPACE}%"
        if probability > 1 - LEAST_SHOWN:
            return f"> {self._marked('99.9')}{NARROW_SPACE}%"
        return f"{self._marked(f'{100 * probability:.{decimals}f}')}{NARROW_SPACE}%"

    def percents(self, lower: float, upper: float) -> str:
        """An interval in per cent, the sign once."""
        ends = [self._marked(f"{100 * min(max(p, 0.0), 1.0):.1f}") for p in (lower, upper)]
        return f"{ends[0]}{TO}{ends[1]}{NARROW_SPACE}%"

    def points(self, difference: float) -> str:
        """A difference of probabilities in percentage points, with its sign."""
        return self.signed(100 * difference, 1)

    def signed(self, value: float, decimals: int = 2) -> str:
        """A number with its sign; what rounds to nothing has none."""
        told = f"{abs(value):.{decimals}f}"
        sign = "" if float(told) == 0 else MINUS if value < 0 else "+"
        return sign + self._marked(told)

    def decimal(self, value: float, decimals: int = 1) -> str:
        """The size of a number, without its sign: for sentences that say which way."""
        return self._marked(f"{abs(value):.{decimals}f}")

    def fixed(self, value: float, decimals: int = 3) -> str:
        """A number as it stands among others: with its last zeros, and whole from a thousand on."""
        if abs(value) >= WHOLE_FROM:
            return self.plain(round(value))
        return self.signed(value, decimals).removeprefix("+")

    def read_aloud(self, value: float | int | str | bool | None) -> str:
        """A measured value: three digits that count, and never less than its whole part.

        Examples
        --------
        >>> en = Numbers("en")
        >>> [en.read_aloud(value) for value in (97.2345, 7.354, 1234.6, 0.05, 140, "A01")]
        ['97.2', '7.35', '1,235', '0.05', '140', 'A01']
        """
        if value is None or isinstance(value, bool | str):
            return self.plain(value)
        return self.plain(float(f"{value:.3g}") if abs(value) < WHOLE_FROM else round(value))

    def plain(self, value: float | int | str | bool | None) -> str:
        """A value as it is read aloud: at most four significant digits behind the point."""
        if value is None:
            return TO
        if isinstance(value, bool | str):
            return str(value)
        told = f"{value:,.4f}".rstrip("0").rstrip(".")
        whole, _, part = told.partition(".")
        whole = whole.replace(",", NARROW_SPACE if self.language == "sv" else ",").replace(
            "-", MINUS
        )
        return self._marked(f"{whole}.{part}" if part else whole)

    def _marked(self, told: str) -> str:
        return told.replace(".", ",") if self.language == "sv" else told
