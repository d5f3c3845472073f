"""Secrets come from files; each way this can fail names the file."""

from pathlib import Path

import pytest

from mlops_app.errors import UserError
from mlops_app.secret_file import read_secret


def test_reads_without_the_trailing_line_break(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(" pass word \n")

    secret = read_secret(path, "X_FILE")

    assert secret.get_secret_value() == " pass word "
    assert "pass" not in f"{secret!r}{secret}"


def test_reads_the_file_again_each_time(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    read_secret(path, "X_FILE")
    path.write_text("new")

    assert read_secret(path, "X_FILE").get_secret_value() == "new"


@pytest.mark.parametrize(
    ("content", "mode", "cause"),
    [
        (None, 0o400, "No such file"),
        (b"x", 0o000, "Permission denied"),
        (b"", 0o400, "is empty"),
        (b"\n", 0o400, "is empty"),
        (b"\xff\xfe", 0o400, "not UTF-8"),
    ],
)
def test_names_path_variable_and_cause(
    tmp_path: Path, content: bytes | None, mode: int, cause: str
) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
        path.chmod(mode)

    with pytest.raises(UserError) as caught:
        read_secret(path, "X_FILE")

    assert str(path) in str(caught.value)
    assert "X_FILE" in str(caught.value)
    assert cause in str(caught.value)
