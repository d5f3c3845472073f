"""Secrets come from files alone: an environment variable shows in `docker inspect`."""

from pathlib import Path

from pydantic import SecretStr

from mlops_app.errors import UserError


def read_secret(path: Path, variable: str) -> SecretStr:
    """Read one secret; trailing line breaks are not part of it.

    Read again at each connection, so that a rotated password needs no restart.

    Args:
        path: the file.
        variable: the environment variable that named it, for the error.

    Raises:
        UserError: the file is missing, unreadable, empty or not text.

    """
    try:
        value = path.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise UserError(
            f"cannot read the secret file {path} ({variable}): {error.strerror}. "
            "Mount the secret there, readable by the app's user, or set the variable to its path."
        ) from None
    except UnicodeDecodeError:
        raise UserError(
            f"the secret file {path} ({variable}) is not UTF-8 text. Write the secret again."
        ) from None
    if not value:
        raise UserError(
            f"the secret file {path} ({variable}) is empty. Write the secret into it again."
        )
    return SecretStr(value)
