"""The environment is read once, typed, and every mistake is named."""

import pytest

from mlops_app.errors import UserError
from mlops_app.settings import Settings


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_defaults_fit_the_stack() -> None:
    settings = Settings.from_environment()

    assert settings.port == 8000
    assert settings.workers == 1
    assert settings.database_url == "postgresql://mlops@postgres:5432/mlops"
    assert settings.redis_url == "redis://redis:6379/0"
    assert settings.mlflow_tracking_uri == "http://mlflow:5000"
    assert (settings.model_name, settings.model_alias) == ("reference", "champion")
    assert (settings.cache_ttl, settings.cache_max_size) == (3600, 1000)
    assert settings.shutdown_grace_seconds == 20
    assert settings.cache_timeout_seconds == 0.02
    assert settings.reload is False


def test_values_come_from_variables_of_the_same_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9000")
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    monkeypatch.setenv("RELOAD", "true")
    monkeypatch.setenv("CACHE_TTL", "0")

    settings = Settings.from_environment()

    assert (settings.port, settings.log_level, settings.reload) == (9000, "debug", True)
    assert settings.cache_ttl == 0


def test_all_mistakes_are_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "http")
    monkeypatch.setenv("LOG_LEVEL", "loud")
    monkeypatch.setenv("CACHE_MAX_SIZE", "-1")
    monkeypatch.setenv("SHUTDOWN_GRACE_SECONDS", "0")

    with pytest.raises(UserError) as caught:
        Settings.from_environment()

    for name in ("PORT", "LOG_LEVEL", "CACHE_MAX_SIZE", "SHUTDOWN_GRACE_SECONDS"):
        assert name in str(caught.value)


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL"])
def test_a_password_in_a_url_is_refused_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "scheme://user:hunter2@host:1/0")

    with pytest.raises(UserError, match=name) as caught:
        Settings.from_environment()

    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "password file" in str(caught.value)


def test_settings_cannot_be_changed() -> None:
    settings = Settings.from_environment()

    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1
