"""Prometheus metrics, by controller-runtime's and ACK's names where they mean the same."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)


class Metrics:
    """What the operator counts. Every instance has a registry of its own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.depth = Gauge("workqueue_depth", "Keys waiting.", ["name"], registry=registry)
        self.adds = Gauge("workqueue_adds_total", "Keys added.", ["name"], registry=registry)
        self.retries = Gauge(
            "workqueue_retries_total", "Keys added again after a failure.", ["name"], registry=registry
        )
        self.reconciles = Counter(
            "controller_runtime_reconcile_total",
            "Passes by how they ended.",
            ["controller", "result"],
            registry=registry,
        )
        self.seconds = Histogram(
            "controller_runtime_reconcile_time_seconds",
            "Of one pass.",
            ["controller"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.requests = Counter(
            "rest_client_requests_total",
            "Requests to the API server; code 0 got no answer.",
            ["code", "method"],
            registry=registry,
        )
        self.calls = Counter(
            "ack_outbound_api_requests_total",
            "Calls of the service.",
            ["service", "op_type", "op_id"],
            registry=registry,
        )
        self.failures = Counter(
            "ack_outbound_api_requests_error_total",
            "Calls of the service that failed.",
            ["service", "op_id", "status_code"],
            registry=registry,
        )
        self.watch_age = Gauge("trainyard_watch_age_seconds", "Since the API server was last heard.", registry=registry)
        self.feed_age = Gauge(
            "trainyard_feed_broken_seconds", "Since the service's changes stopped coming.", registry=registry
        )
        self.resources = Gauge("trainyard_resources", "Resources that are known.", registry=registry)
        self.jobs = Gauge(
            "trainyard_resources_by_job_status", "Resources by their trainingJobStatus.", ["status"], registry=registry
        )
        self.faults = Gauge(
            "trainyard_resources_in_fault", "Resources by ACK's conditions of failure.", ["condition"],
            registry=registry,
        )  # fmt: skip
        self.status_writes = Counter("trainyard_status_writes", "Writes of a status.", registry=registry)
        self.events = Gauge("trainyard_events", "Kubernetes Events.", ["result"], registry=registry)

    def called(self, kind: str, operation: str) -> None:
        """One call of the service."""
        self.calls.labels("sagemaker", kind, operation).inc()

    def failed(self, operation: str, code: str) -> None:
        """One call that failed."""
        self.failures.labels("sagemaker", operation, code).inc()

    def page(self) -> bytes:
        """Everything as text."""
        return generate_latest(self.registry)
