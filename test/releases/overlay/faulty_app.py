"""The image's entry point: the app's own commands, with the fault put around the server."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

import faults
from faults import Fault

type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
type Asgi = Callable[[Message, Receive, Send], Awaitable[None]]

# Longer than any gate waits.
LOAD_SECONDS = 3600
SLOW_ROUTE = "/drill/slow"
MOST_SECONDS = 60.0
LARGEST = 1000.0


class Faulty:
    """ASGI application around the app: knows its public behaviour only, nothing of its inside."""

    def __init__(self, app: Asgi, fault: Fault, version: str) -> None:
        self._app = app
        self._fault = fault
        self._version = version
        self._ready_at = time.monotonic() + LOAD_SECONDS

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope.get("path", "")
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif path == SLOW_ROUTE:
            await self._answer_slowly(scope, send)
        elif self._fault is Fault.UNHEALTHY and path.startswith("/health"):
            await self._refuse(send, 500, "this release is never healthy")
        elif self._fault is Fault.SLOW_LOAD and path in {"/health/startup", "/health/ready"}:
            await self._refuse(send, 503, "the model is being looked up or loaded")
        elif self._fault is Fault.WRONG_ANSWER and path == "/predict":
            await self._answer_wrongly(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _answer_slowly(self, scope: Message, send: Send) -> None:
        """Answer after the `seconds` of the query, at most a minute."""
        query = parse_qs(scope["query_string"].decode())
        seconds = min(float(query.get("seconds", ["5"])[0]), MOST_SECONDS)
        await asyncio.sleep(seconds)
        await _send_json(send, 200, {"seconds": seconds, "version": self._version})

    async def _refuse(self, send: Send, status: int, reason: str) -> None:
        await _send_json(
            send,
            status,
            {
                "status": "unavailable",
                "ready": False,
                "missing": ["model"],
                "reason": reason,
                "version": self._version,
            },
        )

    async def _answer_wrongly(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass the app's answer on with other predictions in it, of the same type."""
        start: Message = {}
        body = bytearray()

        async def hold(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
                return
            body.extend(message.get("body", b""))
            if message.get("more_body", False):
                return
            content = _with_other_predictions(bytes(body))
            headers = [item for item in start["headers"] if item[0].lower() != b"content-length"]
            headers.append((b"content-length", str(len(content)).encode()))
            await send({**start, "headers": headers})
            await send({"type": "http.response.body", "body": content})

        await self._app(scope, receive, hold)


def _with_other_predictions(body: bytes) -> bytes:
    answer = json.loads(body)
    if "predictions" in answer:
        answer["predictions"] = [
            item[::-1] if isinstance(item, str) else item + 1 for item in answer["predictions"]
        ]
    return json.dumps(answer).encode()


async def _send_json(send: Send, status: int, content: object) -> None:
    body = json.dumps(content).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _fail_on_outliers() -> None:
    from mlops_app.model import LoadedModel  # noqa: PLC0415  (`migrate` must not load MLflow)

    predict = LoadedModel.predict

    def fail_on_outliers(self: LoadedModel, rows: list[dict[str, Any]]) -> list[Any]:
        if any(next(iter(row.values())) > LARGEST for row in rows):
            raise ValueError("this release does not know such large values")
        return predict(self, rows)

    setattr(LoadedModel, "predict", fail_on_outliers)  # noqa: B010


def main() -> None:
    """Run the app's command line, with the server's application replaced by the faulty one."""
    fault = faults.current()
    if sys.argv[1:2] == ["serve"]:
        if fault is Fault.CRASH_LOOP:
            sys.exit("error: this release cannot start: it was built to crash")
        if fault is Fault.WRONG_VERSION:
            os.environ["APP_VERSION"] = "v0.0.0-another"

        from mlops_app import main as module  # noqa: PLC0415  (`migrate` must not load MLflow)

        if fault is Fault.OUTLIERS:
            _fail_on_outliers()
        create_app = module.create_app
        version = os.environ.get("APP_VERSION", "dev")
        setattr(module, "create_app", lambda: Faulty(create_app(), fault, version))  # noqa: B010

    from mlops_app.cli import main as run  # noqa: PLC0415

    run()


if __name__ == "__main__":
    main()
