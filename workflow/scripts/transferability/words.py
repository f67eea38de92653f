"""Numbers as people read them."""

import math
from collections.abc import Callable, Sequence


def plural(number: int, noun: str) -> str:
    """The noun for this number: network, networks; class, classes."""
    return noun if number == 1 else f"{noun}{'es' if noun.endswith('s') else 's'}"


def counted(number: int, noun: str) -> str:
    """Like 1 network, 2 networks, 1,234 classes."""
    return f"{number:,} {plural(number, noun)}"


def duration(seconds: float) -> str:
    """Like 0.4 s, 45 s, 12 min, 3 h 20 min, 2 days 5 h."""
    if seconds < 1:
        return f"{seconds:.1g} s"
    minutes, hours = round(seconds / 60), round(seconds / 3600)
    if seconds < 100:
        return f"{seconds:.0f} s"
    if minutes < 100:
        return f"{minutes} min"
    if hours < 48:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{hours // 24:,} days {hours % 24} h"


def amount(size: float) -> str:
    """A readable number of bytes, in GB of 10^9 bytes, or in MB or kB if it is small."""
    if size < 1e5:
        return f"{size / 1e3:.1f} kB"
    if size < 1e8:
        return f"{size / 1e6:.1f} MB"
    return f"{size / 1e9:.2f} GB" if size < 1e10 else f"{size / 1e9:,.0f} GB"


def points(value: float) -> str:
    """A difference of accuracies in percentage points, with a sign: 0.012 is +1.2. What rounds to zero is 0.0."""
    tenths = round(1000 * value)
    return f"{tenths / 10:+.1f}".replace("-", "−") if tenths else "0.0"


def drop_points(value: float) -> str:
    """A drop in accuracy in percentage points: 0.012 is 1.2, and a gain of the same size is −1.2."""
    return points(value).lstrip("+")


def nats(value: float) -> str:
    """A difference of cross-entropies with a sign: 0.6171 is +0.617. What rounds to zero is 0.000."""
    thousandths = round(1000 * value)
    return f"{thousandths / 1000:+.3f}".replace("-", "−") if thousandths else "0.000"


def half_interval(low: float, high: float, show: Callable[[float], str] = points) -> str:
    """Half the width of an interval, in points or as `nats`, like `` ± 1.2``; empty if there is none."""
    return "" if math.isnan(low) else f" ± {show((high - low) / 2).lstrip('+')}"


def percent(share: float) -> str:
    """A share in percent, without the sign: 0.935 is 93.5."""
    return f"{100 * share:.1f}"


def enumerated(numbers: Sequence[int]) -> str:
    """Like 3, 1-7 or 3, 5, 7: three or more consecutive numbers become a range."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts = [f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return ", ".join(parts)
