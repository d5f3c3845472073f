"""JSON lines: one object per event, from this app and from its libraries alike."""

import logging
import sys
from typing import TextIO

import structlog

Logger = structlog.stdlib.BoundLogger

# Their records at info repeat what this app logs itself, or fire on every request.
QUIET_LOGGERS = ("uvicorn.access", "alembic.runtime.plugins", "httpx", "mlflow.tracking.fluent")


def configure_logging(level: str, stream: TextIO = sys.stdout) -> None:
    """Send all logging to one stream as JSON.

    Args:
        level: `debug`, `info`, `warning` or `error`.
        stream: stderr for commands whose result is on stdout.

    Tracebacks are plain text without local variables, which could hold a secret.

    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        structlog.processors.UnicodeDecoder(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.EventRenamer("message"),
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


def logger(name: str) -> Logger:
    """Return the logger of a module, to which values are passed as keywords."""
    result: Logger = structlog.stdlib.get_logger(name)
    return result
