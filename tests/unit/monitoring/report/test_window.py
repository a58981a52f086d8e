"""What time a report is about."""

from __future__ import annotations

import pytest

from monitoring.report.window import Window, WindowInvalid, asked_window

NOW_US = 1_795_300_000_000_000  # 2026-11-21T22:26:40Z
DAY_US = 24 * 3600 * 1_000_000
NOVEMBER_US = 1_793_491_200_000_000  # 2026-11-01T00:00:00Z


@pytest.mark.parametrize(
    ("name", "days"), [(None, 30), ("1h", 1 / 24), ("1d", 1), ("7d", 7), ("30d", 30), ("365d", 365)]
)
def test_a_named_window_ends_now(name: str | None, days: float) -> None:
    found = asked_window(name, None, None, NOW_US)
    assert found == Window(NOW_US - int(days * DAY_US), NOW_US, name or "30d")


def test_the_last_day_is_included_and_nothing_after_now() -> None:
    assert asked_window(None, "2026-11-01", "2026-11-03", NOW_US) == Window(
        NOVEMBER_US, NOVEMBER_US + 3 * DAY_US, None
    )
    assert asked_window(None, "2026-11-01", None, NOW_US) == Window(NOVEMBER_US, NOW_US, None)
    assert asked_window(None, "2026-11-01", "2026-11-30", NOW_US).until_us == NOW_US


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("2d", None, None), "found the window `2d`, expected one of 1h, 1d, 7d, 30d, 365d"),
        (("7d", "2026-11-01", None), "--window beside days"),
        ((None, None, "2026-11-01"), "give the first day"),
        ((None, "1/11/2026", None), "found --since `1/11/2026`, expected a day as YYYY-MM-DD"),
        ((None, "2026-11-01", "2026-11-31"), "found --until `2026-11-31`"),
        ((None, "0001-01-01", None), "1970 or later"),
        ((None, "2026-11-03", "2026-11-01"), "nothing lies between 2026-11-03 and 2026-11-01"),
        ((None, "2027-01-01", None), "expected --since to be past"),
        ((None, "2026-11-01", "9999-12-31"), "1970 or later"),
    ],
)
def test_another_time_is_refused_with_what_was_found(
    asked: tuple[str | None, str | None, str | None], said: str
) -> None:
    with pytest.raises(WindowInvalid) as refused:
        asked_window(*asked, NOW_US)
    assert said in str(refused.value)
