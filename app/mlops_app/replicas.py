"""Every running copy of the app, found by the name that they share, and what each serves."""

import json
import socket
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 5


@dataclass(frozen=True)
class Replica:
    """One copy of the app.

    Attributes:
        address: host and port.
        version: of the model that it serves, None when it serves none or does not answer.
        refused: version that it refuses to serve, None when it refuses none.
        reason: why it refuses, or what else is wrong with it.

    """

    address: str
    version: str | None
    refused: str | None
    reason: str | None


def ask_replicas(url: str) -> list[Replica]:
    """Ask all copies, each under its own address.

    Args:
        url: whose host name stands for all of them.

    Returns:
        them by address; none when the name is not known.

    """
    parts = urlsplit(url)
    try:
        found = socket.getaddrinfo(
            parts.hostname, parts.port, socket.AF_INET, type=socket.SOCK_STREAM
        )
    except socket.gaierror:
        return []
    addresses = sorted({f"{address[0]!s}:{parts.port}" for *_, address in found})
    with ThreadPoolExecutor(max(1, len(addresses))) as pool:
        return list(pool.map(_ask, addresses))


def _ask(address: str) -> Replica:
    try:
        health = _get(f"http://{address}/health")
    except (OSError, ValueError) as error:
        return Replica(address, None, None, f"it does not answer: {error}")
    model, refused = health.get("model"), health.get("refused")
    mlflow = health.get("dependencies", {}).get("mlflow", {}).get("detail")
    return Replica(
        address,
        model["version"] if model else None,
        refused["version"] if refused else None,
        health.get("reason") or mlflow,
    )


def _get(url: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            body = answer.read()
    except urllib.error.HTTPError as error:  # 503 says as much
        body = error.read()
    parsed: dict[str, Any] = json.loads(body)
    return parsed
