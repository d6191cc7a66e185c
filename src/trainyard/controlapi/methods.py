"""One route per method of the TrainingService port, derived from the port itself, so that they cannot drift apart.

    POST /v1/{account}/{region}/{method}     {"argument": …}  →  {"result": …}  or  {"error": …} (errors.py)

Arguments carry the port's own names; the API's structures inside are in the API's spelling, and what was absent stays
absent. A method that streams answers JSON lines, one item each, for as long as both sides are there; an empty line is
a sign of life.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from trainyard.model.errors import ValidationRefused
from trainyard.ports.service import SupportsInterrupt, SupportsPlan, SupportsRecording, TrainingService

SIGN_OF_LIFE = 5.0  # seconds between empty lines of a quiet stream


@dataclass(frozen=True, slots=True)
class Codec:
    """JSON of one type: the API's structures by their own names, absence and non-finite numbers kept."""

    adapter: TypeAdapter[Any]

    def encode(self, value: Any) -> Any:
        """Plain values for strict JSON; a metric that is not finite is the string that pydantic reads back."""
        return _finite(self.adapter.dump_python(value, by_alias=True, exclude_unset=True))

    def decode(self, plain: Any) -> Any:
        """The value; raises pydantic.ValidationError for what has another shape."""
        return self.adapter.validate_python(plain)


def _finite(plain: Any) -> Any:
    if isinstance(plain, float) and not math.isfinite(plain):
        return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(plain, "NaN")
    if isinstance(plain, dict):
        return {name: _finite(value) for name, value in plain.items()}
    if isinstance(plain, list | tuple):
        return [_finite(item) for item in plain]
    return plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One method on the wire. `writes`: it changes something. `item`: for a stream, the codec of one line."""

    name: str
    arguments: Mapping[str, Codec]
    required: frozenset[str]
    result: Codec
    is_stream: bool
    writes: bool

    def encode_arguments(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The request's JSON object; arguments left at their defaults may be left out."""
        return {name: self.arguments[name].encode(value) for name, value in given.items()}

    def decode_arguments(self, plain: Any) -> dict[str, Any]:
        """The call's keyword arguments. Raises ValidationRefused that names the argument."""
        if not isinstance(plain, dict):
            raise ValidationRefused(f"{self.name} takes a JSON object of its arguments.")
        unknown, missing = plain.keys() - self.arguments.keys(), self.required - plain.keys()
        if unknown or missing:
            raise ValidationRefused(
                f"{self.name} takes {', '.join(self.arguments) or 'no arguments'}; "
                + ", ".join([*(f"{name} is unknown" for name in unknown), *(f"{name} is missing" for name in missing)])
            )
        return {name: _decoded(self, name, value) for name, value in plain.items()}


def _decoded(method: Method, name: str, value: Any) -> Any:
    try:
        return method.arguments[name].decode(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join([name, *(str(step) for step in first["loc"])])
        raise ValidationRefused(f"{method.name}: {place}: {first['msg']}.") from None


_READING = frozenset(
    {"describe", "list", "search", "log_streams", "logs", "metrics", "newest", "events", "changes", "revision", "plan"}
)


def _method(name: str, function: Callable[..., Any]) -> Method:
    hints = get_type_hints(function)
    parameters = [one for one in inspect.signature(function).parameters.values() if one.name != "self"]
    answer = hints["return"]
    is_stream = get_origin(answer) is AsyncIterator
    return Method(
        name=name,
        arguments={one.name: Codec(TypeAdapter(hints[one.name])) for one in parameters},
        required=frozenset(one.name for one in parameters if one.default is inspect.Parameter.empty),
        result=Codec(TypeAdapter(get_args(answer)[0] if is_stream else answer)),
        is_stream=is_stream,
        writes=name not in _READING,
    )


def _methods() -> dict[str, Method]:
    found: dict[str, Method] = {}
    for protocol in (TrainingService, SupportsInterrupt, SupportsPlan, SupportsRecording):
        for name, function in vars(protocol).items():
            if inspect.isfunction(function) and not name.startswith("_"):
                found[name] = _method(name, function)
    return found


METHODS: Mapping[str, Method] = _methods()
