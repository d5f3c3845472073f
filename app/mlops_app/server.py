"""`serve`: uvicorn with the settings that a proxy and an orchestrator need."""

import logging
import os
import signal
import sys
import tempfile
from pathlib import Path

import uvicorn

from mlops_app.logs import configure_logging
from mlops_app.secret_file import read_secret
from mlops_app.settings import Settings

# Longer than the 60 s for which nginx keeps an idle connection: the side that sends requests must
# be the one that closes, or it sends one into a connection that is just closing.
KEEP_ALIVE_SECONDS = 75

SOURCE = Path(__file__).parent


def serve(settings: Settings) -> None:
    """Serve until SIGTERM; then exit 0 after requests in flight and waiting writes are done.

    Raises:
        UserError: a secret file cannot be read.

    """
    configure_logging(settings.log_level)
    # Here rather than in a worker, which could only print a traceback and be started again.
    for field in ("database_password_file", "redis_password_file", "secret_key_file"):
        read_secret(getattr(settings, field), field.upper())
    signal.signal(signal.SIGTERM, _exit)
    with tempfile.TemporaryDirectory(prefix="metrics-") as directory:
        if settings.workers > 1:
            # The metrics of all workers meet in files; read before the workers import the library.
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory
        uvicorn.run(
            "mlops_app.main:create_app",
            factory=True,
            host=settings.host,
            port=settings.port,
            workers=settings.workers,
            reload=settings.reload,
            reload_dirs=[str(SOURCE)] if settings.reload else None,
            loop="uvloop",
            http="httptools",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=settings.shutdown_grace_seconds,
        )


def _exit(*_: object) -> None:
    """End the process with exit code 0.

    uvicorn delivers the signal once more after its shutdown, which would make that a failure. At
    this point all is written; what may still run is a model beyond the grace period or a download,
    on threads that the interpreter would wait for.
    """
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)
