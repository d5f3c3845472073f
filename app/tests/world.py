"""One test's own database, cache, model name and links to the real services."""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import redis
from psycopg import sql

from mlops_app.migrate import migrate
from mlops_app.secret_file import read_secret
from mlops_app.settings import Settings
from tests import models
from tests.link import Link
from tests.models import Trained
from tests.running_app import RunningApp, base_environment


@dataclass(frozen=True)
class Links:
    """The app's ways to its services."""

    postgres: Link
    redis: Link
    mlflow: Link


@dataclass(frozen=True)
class World:
    """What a test of the app stands on.

    Attributes:
        settings: of an app that reaches everything through links, and polls often.
        links: can be cut, frozen and mended.
        database: connection past the link, to see what arrived.
        cache: connection past the link.
        trained: a version that the training job registered.

    """

    settings: Settings
    links: Links
    database: psycopg.Connection
    cache: "redis.Redis"
    trained: Trained
    directory: Path
    stack: ExitStack

    def start(self, **changes: Any) -> RunningApp:
        """Start the app as a process that ends with the test.

        Args:
            changes: settings that differ.

        """
        output = self.directory / f"output-{uuid.uuid4().hex}.jsonl"
        environment = as_environment(self.settings, **changes)
        return self.stack.enter_context(RunningApp(environment, output))

    def new_champion(self) -> str:
        """Register the trained model under this world's name and give it the alias."""
        version = models.copy_version(self.trained, self.settings.model_name)
        self.point_alias(version)
        return version

    def point_alias(self, version: str) -> None:
        """Give the alias to a version of this world's model."""
        models.point_alias(self.settings.model_name, version)

    def logged(self) -> int:
        """Return how many predictions are in Postgres."""
        found = self.database.execute("SELECT count(*) FROM prediction_log").fetchone()
        return found[0] if found else 0


@contextmanager
def make_world(services: Settings, trained: Trained, directory: Path) -> Iterator[World]:
    """Build a world on the services, and take it down."""
    with ExitStack() as stack:
        password = database_password(services)
        database_url = stack.enter_context(temporary_database(services))
        own = services.model_copy(update={"database_url": database_url})
        migrate(own)
        database = stack.enter_context(
            psycopg.connect(database_url, password=password, autocommit=True)
        )
        cache = stack.enter_context(
            redis.Redis.from_url(
                services.redis_url,
                password=read_secret(services.redis_password_file, "").get_secret_value(),
                decode_responses=True,
            )
        )
        cache.flushdb()
        links = Links(
            *(
                stack.enter_context(link_to(url))
                for url in (
                    services.database_url,
                    services.redis_url,
                    services.mlflow_tracking_uri,
                )
            )
        )
        settings = own.model_copy(
            update={
                "app_version": "v1.2.3",
                "database_url": through(database_url, links.postgres),
                "redis_url": through(services.redis_url, links.redis),
                "mlflow_tracking_uri": through(services.mlflow_tracking_uri, links.mlflow),
                "model_name": f"test-{uuid.uuid4().hex}",
                "model_poll_seconds": 0.2,
                "probe_seconds": 0.2,
                # What it is in production would make tests depend on the machine's speed.
                "cache_timeout_seconds": 2,
                "models_dir": directory / "models",
            }
        )
        yield World(settings, links, database, cache, trained, directory, stack)


def database_password(services: Settings) -> str:
    """Return the password of the role that the tests use."""
    return read_secret(services.database_password_file, "").get_secret_value()


@contextmanager
def temporary_database(services: Settings) -> Iterator[str]:
    """Create an empty database and yield its URL."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(
        services.database_url, password=database_password(services), autocommit=True
    ) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield services.database_url.rsplit("/", 1)[0] + f"/{name}"
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def link_to(url: str) -> Link:
    """Return a link to the URL's host and port."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return Link(parts.hostname, parts.port)


def through(url: str, link: Link) -> str:
    """Return the URL by way of the link."""
    parts = urlsplit(url)
    user = f"{parts.username}@" if parts.username else ""
    return parts._replace(netloc=f"{user}{link.host}:{link.port}").geturl()


def as_environment(settings: Settings, **changes: Any) -> dict[str, str]:
    """Return the environment that yields these settings."""
    values = {**settings.model_dump(), **changes}
    return base_environment() | {name.upper(): str(value) for name, value in values.items()}
