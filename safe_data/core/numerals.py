"""Write numbers the same way everywhere: fractions, differences, intervals, p values, percentages, times."""

MISSING = "–"


def fraction(value: float | None) -> str:
    """
    >>> fraction(0.51249), fraction(None)
    ('0.512', '–')
    """
    return MISSING if value is None else f"{value:.3f}".replace("-", "−")


def difference(value: float | None) -> str:
    """A number with its sign and a true minus; no sign where it rounds to zero.

    >>> difference(0.0517), difference(-0.2), difference(-0.0001)
    ('+0.052', '−0.200', '0.000')
    """
    if value is None:
        return MISSING
    text = f"{value:+.3f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def interval(low: float | None, high: float | None, *, signed: bool = False) -> str:
    """
    >>> interval(0.1, 0.25), interval(-0.1, 0.25, signed=True), interval(None, None)
    ('[0.100, 0.250]', '[−0.100, +0.250]', 'not measured')
    """
    if low is None or high is None:
        return "not measured"
    write = difference if signed else fraction
    return f"[{write(low)}, {write(high)}]"


def clusters(count: int, effective: float) -> str:
    """Effective clusters and all of them; only the number of clusters where all weigh the same.

    >>> clusters(50, 12.431), clusters(225, 155.2), clusters(225, 225.0)
    ('12.4/50', '155/225', '225')
    """
    if f"{effective:.0f}" == str(count):
        return str(count)
    return f"{effective:.1f}/{count}" if effective < 100 else f"{effective:.0f}/{count}"


def counted_clusters(count: int, effective: float) -> str:
    """A number of clusters as part of a sentence, with the effective ones where these are fewer.

    >>> counted_clusters(1, 1.0), counted_clusters(15, 15.0), counted_clusters(31, 3.9)
    ('1 cluster', '15 clusters', '3.9/31 effective clusters')
    """
    text = clusters(count, effective)
    return f"{text} {'' if text == str(count) else 'effective '}cluster{'s' if count > 1 else ''}"


def points(value: float | None) -> str:
    """
    >>> points(1558.52471), points(None)
    ('1558.5', '–')
    """
    return MISSING if value is None else f"{value:.1f}"


def accuracy_points(share: float | None) -> str:
    """A share of accuracy in points.

    >>> accuracy_points(-0.0025), accuracy_points(-0.0), accuracy_points(None)
    ('−0.25', '0.00', '–')
    """
    return MISSING if share is None else f"{100 * share:z.2f}".replace("-", "−")


def points_interval(low: float | None, high: float | None) -> str:
    """
    >>> points_interval(1502.6, 1611.2), points_interval(None, None)
    ('[1503, 1611]', 'not measured')
    """
    return "not measured" if low is None or high is None else f"[{low:.0f}, {high:.0f}]"


def effect(size: float) -> str:
    """The size of an effect, to two digits, never rounded to 0.

    >>> effect(0.03449), effect(0.00012), effect(12.6)
    ('0.034', '0.00012', '13')
    """
    return f"{size:.2g}"


def p_value(value: float | None) -> str:
    """
    >>> p_value(0.0004), p_value(0.03249), p_value(1.0)
    ('< 0.001', '0.032', '1.000')
    """
    if value is None:
        return MISSING
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def percent(share: float) -> str:
    """
    >>> percent(0.95), percent(0.995)
    ('95 %', '99.5 %')
    """
    return f"{100 * share:.4g} %"


def share_text(share: float | None) -> str:
    """A share with one decimal, never rounded to none or to all.

    >>> share_text(0.32553), share_text(0.00001), share_text(0.99999), share_text(None)
    ('32.6 %', '< 0.1 %', '> 99.9 %', '–')
    """
    if share is None:
        return MISSING
    if 0 < share < 0.0005:
        return "< 0.1 %"
    return "> 99.9 %" if 0.9995 < share < 1 else f"{100 * share:.1f} %"


def duration(seconds: float) -> str:
    """
    >>> [duration(seconds) for seconds in (0.4, 59.6, 80, 7265, 93600)]
    ['0 s', '1 min 0 s', '1 min 20 s', '2 h 1 min', '1 d 2 h']
    """
    whole = round(seconds)
    for unit, part, size, of_part in (("d", "h", 86400, 3600), ("h", "min", 3600, 60), ("min", "s", 60, 1)):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // of_part} {part}"
    return f"{whole} s"


def cut(name: str, columns: int) -> str:
    """
    >>> cut("safe/mute_audio", 9), cut("safe/full", 9)
    ('safe/mut…', 'safe/full')
    """
    return name if len(name) <= columns else name[: columns - 1] + "…"


def counted(number: int, noun: str) -> str:
    """A number of things.

    >>> counted(1, "clip"), counted(2, "clip")
    ('1 clip', '2 clips')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
