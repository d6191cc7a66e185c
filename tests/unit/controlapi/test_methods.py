"""The wire derives from the port: every method is on it, and every value comes back as it went."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.controlapi.errors import decode_error, encode_error
from trainyard.controlapi.methods import METHODS
from trainyard.model.errors import (
    InvalidJob,
    ResourceInUse,
    ResourceLimitExceeded,
    ResourceNotFound,
    StaleRecord,
    StoreTooNew,
    TrainyardError,
    Transient,
    Unsupported,
    ValidationRefused,
)
from trainyard.model.job import Series
from trainyard.model.problems import Problem
from trainyard.model.spec import TrainingJobSpec
from trainyard.ports.service import TrainingService
from trainyard.remote.service import RemoteService


def test_every_method_of_the_port_is_on_the_wire_and_in_the_client() -> None:
    port = {name for name in vars(TrainingService) if not name.startswith("_")} - {"scope"}
    assert port <= METHODS.keys()
    assert METHODS.keys() <= vars(RemoteService).keys()


@given(st.lists(st.tuples(st.floats(0, 2e9), st.floats(allow_nan=False)), max_size=5))
def test_series_come_back_whole(points: list[tuple[float, float]]) -> None:
    series = [Series(name="loss", points=tuple(points))]
    codec = METHODS["metrics"].result
    assert codec.decode(json.loads(json.dumps(codec.encode(series), allow_nan=False))) == series


def test_a_value_that_is_no_number_stays_one() -> None:
    codec = METHODS["metrics"].result
    (series,) = codec.decode(codec.encode([Series(name="loss", points=((1.0, math.nan),))]))
    assert math.isnan(series.points[0][1])


def test_what_a_request_leaves_out_stays_out() -> None:
    wire = {"TrainingJobName": "x", "RoleArn": "r", "OutputDataConfig": {"S3OutputPath": "s3://b/o"}}
    codec = METHODS["create"].arguments["spec"]
    assert codec.encode(TrainingJobSpec.from_wire(wire)) == wire
    assert codec.decode(wire).to_wire() == wire


@pytest.mark.parametrize(
    ("plain", "told"),
    [
        ([], "JSON object"),
        ({}, "name is missing"),
        ({"name": "x", "nome": "y"}, "nome is unknown"),
        ({"name": 3}, "describe: name: Input should be a valid string"),
    ],
)
def test_wrong_arguments_are_named(plain: object, told: str) -> None:
    with pytest.raises(ValidationRefused, match=told):
        METHODS["describe"].decode_arguments(plain)


ERRORS = [
    InvalidJob([Problem(path=("InputDataConfig", 0, "ChannelName"), message="m", code="pattern", suggestion="s")]),
    ValidationRefused("a"),
    ResourceNotFound("b"),
    ResourceInUse("c"),
    ResourceLimitExceeded("d"),
    StaleRecord("e"),
    Unsupported("f"),
    Transient("g", after=7.0),
    StoreTooNew("h"),
    TrainyardError("i"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_come_back_as_they_went(error: TrainyardError) -> None:
    status, plain = encode_error(error)
    back = decode_error(status, json.loads(json.dumps(plain)))
    assert (type(back), str(back)) == (type(error), str(error))
    assert getattr(back, "after", None) == getattr(error, "after", None)
    assert getattr(back, "problems", None) == getattr(error, "problems", None)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(
    st.integers(100, 599), json_values | st.fixed_dictionaries({"kind": st.sampled_from(["InvalidJob", "Transient"])})
)
def test_whatever_a_peer_says_becomes_an_error_of_ours(status: int, plain: object) -> None:
    assert isinstance(decode_error(status, plain), TrainyardError)
