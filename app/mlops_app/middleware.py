"""What every request gets: an id, the release's name in the answer, a measurement, a log line."""

import asyncio
import re
import time
import uuid

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlops_app.logs import logger
from mlops_app.metrics import Metrics
from mlops_app.settings import Settings

log = logger(__name__)

# An id from outside is kept when it can do no harm in a log, a header or a table.
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")

# Asked every few seconds for ever: worth a measurement, not a log line.
QUIET_ROUTES = frozenset(
    {"/health", "/health/live", "/health/ready", "/health/startup", "/metrics"}
)


class Observe:
    """ASGI middleware, outermost of the app's own, so that it sees all answers and exceptions."""

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self._app = app
        self._version = settings.app_version
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        scope["state"]["started"] = started
        code = 0

        async def send_observed(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-App-Version"] = self._version
                headers["X-Request-ID"] = request_id
            await send(message)

        structlog.contextvars.bind_contextvars(request_id=request_id)
        self._metrics.requests_in_flight.inc()
        try:
            await self._app(scope, receive, send_observed)
        except asyncio.CancelledError:
            # The grace period is over: say why, rather than break the connection.
            if code == 0:
                answer = JSONResponse(
                    {"detail": "the app is shutting down", "request_id": request_id},
                    status_code=503,
                    headers={"Retry-After": "5"},
                )
                await answer(scope, receive, send_observed)
            raise
        except Exception:
            log.exception("request failed", path=scope["path"])
            if code == 0:
                answer = JSONResponse(
                    {"detail": "internal error", "request_id": request_id}, status_code=500
                )
                await answer(scope, receive, send_observed)
            else:
                raise
        finally:
            self._metrics.requests_in_flight.dec()
            self._record(scope, code, time.perf_counter() - started)
            structlog.contextvars.unbind_contextvars("request_id")

    def _record(self, scope: Scope, code: int, seconds: float) -> None:
        # The route's pattern, not the path: a scanner's paths must not become time series.
        route = getattr(scope.get("route"), "path", "unmatched")
        self._metrics.request_duration.labels(
            method=scope["method"],
            route=route,
            code=code,
            model_version=scope["state"].get("model_version", ""),
        ).observe(seconds)
        write = log.debug if route in QUIET_ROUTES else log.info
        write(
            "request",
            method=scope["method"],
            path=scope["path"],
            code=code,
            milliseconds=round(seconds * 1000, 3),
        )


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get("x-request-id")
    if given is not None and REQUEST_ID.fullmatch(given):
        return given
    return uuid.uuid4().hex
