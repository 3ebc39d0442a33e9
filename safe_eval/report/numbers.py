"""How numbers look on the page: percent and points with an interval, counts, sizes."""

from safe_data.core.numerals import MISSING

MINUS = "−"


def share(value: float | None) -> str:
    """A fraction in percent, with the sign.

    >>> share(0.8754), share(1.0), share(None)
    ('87.5 %', '100.0 %', '–')
    """
    return MISSING if value is None else f"{percent(value)} %"


def share_points(value: float | None) -> str:
    """A difference of two fractions in percentage points, with the unit.

    >>> share_points(0.123), share_points(-0.0041)
    ('+12.3 pp', '−0.4 pp')
    """
    return MISSING if value is None else f"{points(value)} pp"


def percent(value: float | None, digits: int = 1) -> str:
    """A fraction in percent, without the sign.

    >>> percent(0.8754), percent(1.0), percent(None)
    ('87.5', '100.0', '–')
    """
    return MISSING if value is None else _minus(f"{100 * value:.{digits}f}")


def points(value: float | None, digits: int = 1) -> str:
    """A difference of two fractions in percentage points, always signed.

    >>> points(0.123), points(-0.0041), points(0.0)
    ('+12.3', '−0.4', '0.0')
    """
    if value is None:
        return MISSING
    text = f"{100 * value:+.{digits}f}"
    return text[1:] if float(text) == 0 else _minus(text)


def plain(value: float | None) -> str:
    """A number of unknown unit with three significant digits; whole numbers in full.

    >>> plain(0.123456), plain(-2.0), plain(1234567.0), plain(-0.00001)
    ('0.123', '−2', '1234567', '−0.00001')
    """
    if value is None:
        return MISSING
    if value == round(value):
        return _minus(str(round(value)))
    return _minus(f"{float(f'{value:.3g}'):.12f}".rstrip("0").rstrip("."))


def interval(low: str, high: str) -> str:
    """The two ends of an interval; empty if an end is unknown.

    >>> interval("83.1", "91.0"), interval("–", "91.0")
    ('[83.1, 91.0]', '')
    """
    return "" if MISSING in (low, high) else f"[{low}, {high}]"


def count(value: int | None, noun: str = "", plural: str | None = None) -> str:
    """A count with thin spaces between thousands, and its noun in the singular or plural.

    >>> count(1, "item"), count(12345, "item")
    ('1 item', '12\\u202f345 items')
    """
    if value is None:
        return MISSING
    number = f"{value:,}".replace(",", "\u202f")
    if not noun:
        return number
    return f"{number} {noun if value == 1 else plural or noun + 's'}"


def size(count_bytes: int) -> str:
    """A number of bytes in B, kB or MB.

    >>> size(900), size(52_000), size(3_400_000), size(12_000_000)
    ('900 B', '52 kB', '3.4 MB', '12 MB')
    """
    if count_bytes < 1000:
        return f"{count_bytes} B"
    return f"{count_bytes / 1e3:.0f} kB" if count_bytes < 999_500 else f"{count_bytes / 1e6:.2g} MB"


def _minus(text: str) -> str:
    return text.replace("-", MINUS)
