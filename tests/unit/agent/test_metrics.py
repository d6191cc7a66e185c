"""Metrics out of what a run writes."""

from __future__ import annotations

import json
import time

import pytest

from trainyard.agent.metrics import NEWEST, OLDEST, Re2Scanners
from trainyard.model.ledger import Point
from trainyard.model.problems import Severity
from trainyard.ports.scanner import Scan

NOW = 1_700_000_000.0
SCANNERS = Re2Scanners()


def _log(data: bytes, *definitions: tuple[str, str], final: bool = False) -> Scan:
    return SCANNERS.for_log(definitions).scan(data, time_of=lambda offset: NOW + offset, final=final)


def _json(*entries: object) -> list[Point]:
    data = b"".join(json.dumps(entry).encode() + b"\n" for entry in entries)
    return list(SCANNERS.for_metrics().scan(data, time_of=lambda _: NOW, final=False).points)


def _values(scan: Scan) -> list[tuple[str, float]]:
    return [(point.name, point.value) for point in scan.points]


def test_the_first_group_is_the_value() -> None:
    scan = _log(b"epoch 3 loss=0.25 acc=90\n", ("loss", r"loss=(\S+) acc=(\d+)"), ("epoch", r"epoch (\d+)"))
    assert _values(scan) == [("loss", 0.25), ("epoch", 3.0)]


def test_a_line_is_dated_by_its_place() -> None:
    scan = _log(b"a=1\na=2\n", ("a", "a=(.+)"))
    assert [(point.value, point.at) for point in scan.points] == [(1.0, NOW), (2.0, NOW + 4)]


@pytest.mark.parametrize("pattern", [r".*\[0\]#011train-rmse:(\S+)", r"\[0\]\ttrain-rmse:(\S+)"])
def test_a_tab_is_escaped_and_itself(pattern: str) -> None:
    assert _values(_log(b"[0]\ttrain-rmse:9.5\n", ("rmse", pattern))) == [("rmse", 9.5)]


@pytest.mark.parametrize("text", [b"high", b"", b"nan", b"inf", b"-Infinity", b"1e999", b"1.2.3"])
def test_what_is_no_number_is_dropped(text: bytes) -> None:
    scan = _log(b"a=" + text + b"\na=-1e-3\n", ("a", r"a=(.*)"))
    assert _values(scan) == [("a", -0.001)]


def test_a_partial_last_line_is_not_consumed() -> None:
    data = b"a=1\na=2"
    scan = _log(data, ("a", "a=(.+)"))
    assert (_values(scan), scan.consumed) == ([("a", 1.0)], 4)
    assert _values(_log(data[scan.consumed :] + b"5\n", ("a", "a=(.+)"))) == [("a", 25.0)]
    assert (_log(b"a=1").points, _log(b"a=1").consumed) == ((), 0)


def test_the_end_takes_an_unended_line_too() -> None:
    scan = _log(b"a=1\na=2", ("a", "a=(.+)"), final=True)
    assert (_values(scan), scan.consumed) == ([("a", 1.0), ("a", 2.0)], 7)


def test_bytes_that_are_no_text_do_no_harm() -> None:
    assert _values(_log(b"\xff\xfe\0 a=1\n", ("a", r"a=(\d)"))) == [("a", 1.0)]


def test_a_catastrophic_regex_is_quick() -> None:
    line = b"a" * 100_000 + b"!\n"
    start = time.perf_counter()
    assert _log(line * 3, ("slow", r"((?:a+)+)+$"), ("slower", r"(a|aa)+$")).points == ()
    assert time.perf_counter() - start < 5.0


def test_a_bad_regex_is_explained_and_the_others_work() -> None:
    definitions = [("ok", "a=(.+)"), ("ahead", r"(?=x)(\d)"), ("open", "(a"), ("none", "a=.+")]
    ahead, opened, none = SCANNERS.check(definitions)
    assert ahead.path == ("AlgorithmSpecification", "MetricDefinitions", 1, "Regex")
    assert "'ahead'" in ahead.message
    assert (ahead.severity, opened.severity, none.severity) == (Severity.NOTICE, Severity.ERROR, Severity.NOTICE)
    assert "runs slowly" in ahead.message
    assert _values(_log(b"a=1\n", *definitions[:2], *definitions[3:])) == [("ok", 1.0)]


def test_no_definition_gives_no_point() -> None:
    assert _log(b"a=1\nb") == Scan((), 4)


def test_json_metrics_are_dated_by_themselves() -> None:
    entry = {"MetricName": "loss", "Value": 0.5, "Timestamp": NOW - 60, "IterationNumber": 7}
    assert _json(entry) == [Point(name="loss", value=0.5, at=NOW - 60, step=7)]
    assert _json({"MetricName": "loss", "Value": "0.5"}) == [Point(name="loss", value=0.5, at=NOW)]


@pytest.mark.parametrize(("offset", "kept"), [(-OLDEST, 1), (-OLDEST - 1, 0), (NEWEST, 1), (NEWEST + 1, 0)])
def test_json_metrics_outside_the_window_are_dropped(offset: float, kept: int) -> None:
    assert len(_json({"MetricName": "a", "Value": 1, "Timestamp": NOW + offset})) == kept


@pytest.mark.parametrize(
    "entry",
    [1, [], "x", {}, {"MetricName": "a"}, {"MetricName": 1, "Value": 1}, {"MetricName": "", "Value": 1},
     {"MetricName": "a", "Value": True}, {"MetricName": "a", "Value": float("nan")},
     {"MetricName": "a", "Value": 10**400}, {"MetricName": "n" * 256, "Value": 1}],
)  # fmt: skip
def test_json_that_is_no_metric_is_skipped(entry: object) -> None:
    good = {"MetricName": "good", "Value": 1}
    assert [point.name for point in _json(entry, good)] == ["good"]


@pytest.mark.parametrize("line", [b"{", b"\xff", b"[" * 100_000, b"1" * 10_000, b""])
def test_a_broken_line_hides_no_other(line: bytes) -> None:
    data = line + b'\n{"MetricName":"a","Value":1}\n{"MetricName":"b"'
    scan = SCANNERS.for_metrics().scan(data, time_of=lambda _: NOW, final=False)
    assert _values(scan) == [("a", 1.0)]
    assert scan.consumed == data.rfind(b"\n") + 1


@pytest.mark.parametrize("step", [True, 1.5, "3", 2**63])
def test_a_step_that_cannot_be_kept_is_left_out(step: object) -> None:
    [point] = _json({"MetricName": "a", "Value": 1, "IterationNumber": step})
    assert point.step is None


def test_usage_names_its_host() -> None:
    data = json.dumps({"at": NOW, "cpu": 12.5, "gpu": None, "other": 1}).encode() + b"\n"
    scan = SCANNERS.for_usage("algo-1").scan(data, time_of=lambda _: 0.0, final=False)
    assert scan.points == (Point(name="CPUUtilization", value=12.5, at=NOW, host="algo-1"),)


SLOW = ("after", r"(?<=loss=)([0-9.]+)")
CATASTROPHE = ("never", r"(?=a)((?:a+)+)+$")


def test_what_re2_cannot_hold_is_found_all_the_same() -> None:
    data = b"a=1 loss=0.5\nloss=\tx\n[0]\tloss=0.25\n" + b"x" * 300_000 + b"loss=9\nsame 7 7\n"
    scan = _log(data, ("a", "a=(.+) "), SLOW, ("twice", r"(\d) \1"), ("tab", r"\t(?=loss)\D+(.+)"))
    assert _values(scan) == [("a", 1.0), ("after", 0.5), ("after", 0.25), ("twice", 7.0), ("tab", 0.25)]
    assert [point.at for point in scan.points if point.name == "after"] == [NOW, NOW + data.index(b"[0]")]
    assert scan.given_up == ()


def test_a_catastrophe_is_given_up_and_the_others_go_on() -> None:
    data = b"loss=0.5\n" + b"a" * 5_000 + b"!\n" + b"loss=0.25\n"
    scan = _log(data, ("plain", r"s=(\S+)"), CATASTROPHE, SLOW, ("back", r"(a|aa)+\1$"))
    assert set(scan.given_up) == {"never", "back"}
    assert [value for name, value in _values(scan) if name == "after"] == [0.5, 0.25]
    assert [value for name, value in _values(scan) if name == "plain"] == [0.5, 0.25]


def test_a_pattern_that_eats_memory_is_given_up() -> None:
    data = b"ab" * 100_000 + b"\n"
    scan = _log(data * 4, ("hungry", r"(?=a)((?:(a)|b)*)*\2c"), SLOW)
    assert scan.given_up == ("hungry",)


def test_a_pattern_that_takes_long_to_read_is_refused() -> None:
    (problem,) = SCANNERS.check([("wide", "(?i)(?=x)(" + "[\\0-\U0010ffff]" * 30 + ")")])
    assert problem.severity in (Severity.ERROR, Severity.NOTICE)
    assert "'wide'" in problem.message
