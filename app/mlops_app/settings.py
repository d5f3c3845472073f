"""Everything the environment says, read once into one typed, immutable object."""

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from mlops_app.errors import UserError

Seconds = Annotated[float, Field(gt=0)]


class Settings(BaseSettings):
    """Settings of all commands. Each field is the environment variable of the same name.

    Secrets are never values here, only paths of files (`*_file`), see `secret_file.read_secret`.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    app_version: str = Field(default="dev", min_length=1, description="release tag")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    host: str = "0.0.0.0"  # noqa: S104  (inside a container; what is published is Docker's choice)
    port: int = Field(default=8000, ge=1, le=65535)
    workers: int = Field(default=1, ge=1, description="server processes")
    reload: bool = Field(default=False, description="restart when the source changes")
    shutdown_grace_seconds: int = Field(
        default=20, ge=1, description="how long requests in flight may take after SIGTERM"
    )

    database_url: str = "postgresql://mlops@postgres:5432/mlops"
    database_password_file: Path = Path("/run/secrets/postgres_password")
    redis_url: str = "redis://redis:6379/0"
    redis_password_file: Path = Path("/run/secrets/redis_password")
    secret_key_file: Path = Path("/run/secrets/secret_key")

    app_url: str = Field(
        default="http://app:8000", description="name that all copies of the app share, for jobs"
    )
    mlflow_tracking_uri: str = "http://mlflow:5000"
    model_name: str = Field(default="reference", min_length=1)
    model_alias: str = Field(default="champion", min_length=1)
    model_poll_seconds: Seconds = Field(default=10, description="how often the alias is looked up")
    models_dir: Path = Path("/app/models")
    max_batch_rows: int = Field(default=1000, ge=1, description="rows in one request")
    max_body_bytes: int = Field(default=10 * 2**20, ge=1, description="size of one request's body")

    cache_ttl: int = Field(default=3600, ge=0, description="seconds; 0 turns the cache off")
    cache_max_size: int = Field(default=1000, ge=0, description="entries; 0 turns the cache off")
    cache_timeout_seconds: Seconds = Field(
        default=0.02, description="what a request may lose to a slow Redis before it is left out"
    )
    log_queue_size: int = Field(
        default=10_000, ge=1, description="predictions waiting for Postgres before some are dropped"
    )
    probe_seconds: Seconds = Field(default=1, description="how often Redis and Postgres are probed")

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("database_url", "redis_url")
    @classmethod
    def _without_password(cls, value: str) -> str:
        if urlsplit(value).password is not None:
            raise ValueError("must not contain a password: put it into the password file")
        return value

    @classmethod
    def from_environment(cls) -> Self:
        """Read the environment.

        Raises:
            UserError: one paragraph that names every variable that is wrong.

        """
        try:
            return cls()
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, item['loc'])).upper()}: {item['msg']}"
                for item in error.errors(include_input=False, include_url=False)
            )
            raise UserError(
                f"the environment has values that cannot be used: {problems}. "
                "Correct these variables and start again."
            ) from None
