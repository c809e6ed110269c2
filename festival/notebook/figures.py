"""Figures as people read them."""

import math


def number(value: float) -> str:
    """A figure with as many digits as say something.

    >>> number(300_000), number(13.2807), number(0.00001666667)
    ('300,000', '13.28', '0.00001667')
    """
    if not math.isfinite(value) or value == 0:
        return f"{value:.0f}"
    if abs(value) >= 1:
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.2f}"
    # Below 1 four significant digits, and never an exponent.
    digits = 3 - math.floor(math.log10(abs(value)))
    return f"{value:.{digits}f}".rstrip("0").rstrip(".")


def dollars(value: float) -> str:
    """Money with two digits after the point, or with four if there is less than a cent of it.

    >>> dollars(1234.5), dollars(0.0123), dollars(0.00061), dollars(0.00001)
    ('1,234.50', '0.01', '0.0006', 'under 0.0001')
    """
    if 0 < abs(value) < 0.00005:
        return "under 0.0001"
    return f"{value:,.2f}" if abs(value) >= 0.01 or value == 0 else f"{value:.4f}"


def hours_and_minutes(minutes: float) -> str:
    """Minutes as `h:mm`.

    >>> hours_and_minutes(75), hours_and_minutes(-5)
    ('1:15', '-0:05')
    """
    sign, whole = "-" if minutes < 0 else "", abs(int(minutes))
    return f"{sign}{whole // 60}:{whole % 60:02d}"


def percent(share: float) -> str:
    """A share of 1 as a percentage without its sign.

    >>> percent(0.1234)
    '12.3'
    """
    return f"{100 * share:.1f}"
