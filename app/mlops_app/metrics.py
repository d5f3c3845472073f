"""What Prometheus scrapes. Names follow its conventions: base units, `_total` for counters."""

import os

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
    multiprocess,
)

# From a cached answer (under a millisecond) to the proxy's patience.
REQUEST_BUCKETS = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip


# A second series per counter and histogram, which Prometheus reads only when told to.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """All metrics of one app. With several workers each scrape adds the workers up."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self._registry = registry
        self.info = Gauge(
            "mlops_app_info",
            "Always 1; the label is the release.",
            ["version"],
            registry=registry,
            multiprocess_mode="max",
        )
        self.ready = Gauge(
            "mlops_app_ready",
            "1 while requests are wanted: a model is loaded and no shutdown has begun.",
            registry=registry,
            multiprocess_mode="min",
        )
        self.dependency_up = Gauge(
            "mlops_app_dependency_up",
            "1 while the dependency answers, 0 while it does not.",
            ["dependency"],
            registry=registry,
            multiprocess_mode="min",
        )
        self.request_duration = Histogram(
            "mlops_app_request_duration_seconds",
            "Time from the request's first byte in the app to the answer's last.",
            ["method", "route", "code", "model_version"],
            buckets=REQUEST_BUCKETS,
            registry=registry,
        )
        self.requests_in_flight = Gauge(
            "mlops_app_requests_in_flight",
            "Requests being answered.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.model_info = Gauge(
            "mlops_app_model_info",
            "1 for the model version that answers, 0 for those before it.",
            ["name", "version", "alias"],
            registry=registry,
            multiprocess_mode="max",
        )
        self.model_loads = Counter(
            "mlops_app_model_loads_total",
            "Model versions loaded, or refused because loading or warming failed.",
            ["result"],
            registry=registry,
        )
        self.model_load_duration = Histogram(
            "mlops_app_model_load_duration_seconds",
            "Download, load and warm-up of a model version.",
            buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
            registry=registry,
        )
        self.predictions = Counter(
            "mlops_app_predictions_total",
            "Rows answered, by where the answer came from (model or cache).",
            ["model_version", "source"],
            registry=registry,
        )
        self.inference_duration = Histogram(
            "mlops_app_inference_duration_seconds",
            "Time inside the model, per request.",
            ["model_version"],
            buckets=REQUEST_BUCKETS,
            registry=registry,
        )
        self.cache_requests = Counter(
            "mlops_app_cache_requests_total",
            "Look-ups by result: hit, miss (per row), error, bypassed, unwanted (per request).",
            ["result"],
            registry=registry,
        )
        self.queue_size = Gauge(
            "mlops_app_queue_size",
            "Items waiting to be written.",
            ["queue"],
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.queue_written = Counter(
            "mlops_app_queue_written_total", "Items written.", ["queue"], registry=registry
        )
        self.queue_dropped = Counter(
            "mlops_app_queue_dropped_total",
            "Items lost: full (queue), unavailable, rejected or failed (store), shutdown.",
            ["queue", "reason"],
            registry=registry,
        )
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            ProcessCollector(registry=registry)
            PlatformCollector(registry=registry)

    def expect_predictions(self, model_version: str) -> None:
        """Show at 0 what will be counted of a model version's answers.

        Prometheus sees no increase in the first sample of a series: the first failures of a release
        would count for nothing.
        """
        for code in (200, 500, 503):
            self.request_duration.labels(
                method="POST", route="/predict", code=code, model_version=model_version
            )

    def render(self) -> bytes:
        """Return all metrics in the Prometheus text format."""
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            merged = CollectorRegistry()
            multiprocess.MultiProcessCollector(merged)  # type: ignore[no-untyped-call]
            return generate_latest(merged)
        return generate_latest(self._registry)
