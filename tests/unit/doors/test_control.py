"""The control door: health that can fail, metrics a scraper reads, a drain that is heard."""

from __future__ import annotations

from starlette.testclient import TestClient

from trainyard.doors.control.app import Vitals, control_app


def client(age: float, drained: list[bool] | None = None) -> TestClient:
    vitals = Vitals(pass_age=age, jobs={"InProgress": 2, "Failed": 1}, waiting=1)
    heard = drained if drained is not None else []
    return TestClient(control_app(lambda: vitals, lambda: heard.append(True)))


def test_health_is_ok_while_the_engine_makes_passes() -> None:
    answer = client(0.2).get("/healthz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


def test_health_fails_once_the_engine_has_stalled() -> None:
    answer = client(45.0).get("/healthz")
    assert (answer.status_code, answer.json()["status"]) == (503, "stalled")


def test_metrics_count_jobs_by_status() -> None:
    text = client(0.2).get("/metrics").text
    assert 'trainyard_jobs{status="InProgress"} 2.0' in text
    assert "trainyard_jobs_waiting 1.0" in text


def test_drain_is_heard_once() -> None:
    heard: list[bool] = []
    assert client(0.2, heard).post("/drain").status_code == 202
    assert heard == [True]
