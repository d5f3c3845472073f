"""Waiting for a condition instead of for a time."""

import time
from collections.abc import Callable

PATIENCE_SECONDS = 60
PAUSE_SECONDS = 0.02


def eventually[T](condition: Callable[[], T], what: str) -> T:
    """Return the condition's first true value.

    Args:
        condition: asked again and again; an AssertionError or OSError counts as not yet.
        what: named when it never comes true.

    Raises:
        AssertionError: it did not come true.

    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    last: object = None
    while time.monotonic() < deadline:
        try:
            value = condition()
        except (AssertionError, OSError) as error:
            last = error
        else:
            if value:
                return value
            last = value
        time.sleep(PAUSE_SECONDS)
    raise AssertionError(f"{what}: not within {PATIENCE_SECONDS} s, last: {last!r}")
