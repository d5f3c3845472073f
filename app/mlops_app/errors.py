"""Errors that a person can act on."""


class UserError(Exception):
    """A problem whose message names the cause and the fix; shown without a traceback."""
