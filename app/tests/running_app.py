"""The app as a process of its own, as the container starts it."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import httpx

from tests.eventually import eventually

STOP_SECONDS = 60


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def command(
    *arguments: str, environment: Mapping[str, str], directory: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one of the image's commands to its end.

    Args:
        arguments: of the command.
        environment: all of it.
        directory: of another copy of the app, None for this one.

    """
    return subprocess.run(
        [sys.executable, "-m", "mlops_app", *arguments],
        env=dict(environment),
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=STOP_SECONDS,
        check=False,
    )


class RunningApp:
    """`python -m mlops_app serve` on a port of its own; its output goes to a file."""

    def __init__(
        self,
        environment: Mapping[str, str],
        output: Path,
        directory: Path | None = None,
        *,
        host: str = "127.0.0.1",
        port: int | None = None,
    ) -> None:
        self.port = free_port() if port is None else port
        self.environment = {**environment, "HOST": host, "PORT": str(self.port)}
        self.url = f"http://{host}:{self.port}"
        self._output = output
        self._directory = directory
        self.client = httpx.Client(base_url=self.url, timeout=30)

    def __enter__(self) -> Self:
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mlops_app", "serve"],
                env=self.environment,
                cwd=self._directory,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    @property
    def output(self) -> str:
        """All that the process has printed so far."""
        return self._output.read_text()

    def log(self) -> list[dict[str, Any]]:
        """Return the log: every line must be a JSON object."""
        return [json.loads(line) for line in self.output.splitlines()]

    def get(self, path: str) -> httpx.Response:
        """GET; a connection that fails raises OSError, which `eventually` takes for not yet."""
        try:
            return self.client.get(path)
        except httpx.TransportError as error:
            raise ConnectionError(f"{error!r}: {self.output[-2000:]}") from error

    def predict(self, *rows: Mapping[str, Any], **options: Any) -> httpx.Response:
        """POST /predict."""
        return self.client.post("/predict", json={"rows": list(rows)}, **options)

    def health(self) -> dict[str, Any]:
        """Return /health, whatever its status code."""
        result: dict[str, Any] = self.get("/health").json()
        return result

    def metric(self, name: str, **labels: str) -> float:
        """Return one sample of /metrics, 0 when it is not there yet."""
        from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415

        for family in text_string_to_metric_families(self.get("/metrics").text):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return sample.value
        return 0

    def until_live(self) -> Self:
        """Wait until the process answers."""
        eventually(lambda: self.get("/health/live").status_code == httpx.codes.OK, "live")
        return self

    def until_ready(self) -> Self:
        """Wait until a model is served."""
        eventually(lambda: self.get("/health/ready").status_code == httpx.codes.OK, "ready")
        return self

    def until_all_up(self) -> Self:
        """Wait until a model is served and every dependency answers."""
        eventually(lambda: self.health()["status"] == "ok", "health is ok")
        return self

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.process.send_signal(signal.SIGTERM)

    def exit_code(self) -> int:
        """Wait for the end."""
        return self.process.wait(STOP_SECONDS)


def base_environment() -> dict[str, str]:
    """Return what any process needs, without what the test runner set for itself."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
