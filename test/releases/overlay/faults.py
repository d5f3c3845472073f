"""The faults that a release can be built with."""

import os
from enum import StrEnum


class Fault(StrEnum):
    """What is wrong with a release."""

    NONE = "none"
    UNHEALTHY = "unhealthy"  # it serves, but says of itself that it is not well
    CRASH_LOOP = "crash-loop"  # the server ends right after its start, each time
    SLOW_LOAD = "slow-load"  # it would become ready, but later than anybody waits
    WRONG_VERSION = "wrong-version"  # it answers as another release than its tag says
    WRONG_ANSWER = "wrong-answer"  # it predicts, but not what the model says
    OUTLIERS = "outliers"  # it fails on rows that no gate asks for: the first column above 1000
    FAILED_MIGRATION = "failed-migration"  # its newest migration is refused by Postgres


def current() -> Fault:
    """Return the fault that this image was built with."""
    return Fault(os.environ["RELEASE_FAULT"])
