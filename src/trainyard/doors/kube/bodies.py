"""Request bodies: bounded, parsed, never deeper than a store can write."""

from __future__ import annotations

import math
from typing import Any

import orjson
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from starlette.requests import Request

from trainyard.doors.kube import protobuf
from trainyard.doors.kube.errors import LARGEST_BODY, bad_request, too_large, unsupported_media_type

MOST_VALUES = 1_000_000  # in a body, its aliases written out
DEEPEST = 200  # levels of nesting; a manifest has ten
JSON, YAML_TYPE = "application/json", "application/yaml"


def media_type(request: Request) -> str:
    """The Content-Type without its parameters; JSON where there is none."""
    return request.headers.get("content-type", JSON).split(";")[0].strip().lower() or JSON


async def raw_body(request: Request) -> bytes:
    """All of the body. Raises Refused (413) before reading more than the limit."""
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared[:18]) > LARGEST_BODY:
        raise too_large()
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST_BODY:
            raise too_large()
        parts.append(part)
    return b"".join(parts)


async def object_body(request: Request) -> Any:
    """The body as JSON values; None for an empty one. Raises Refused (400, 413, 415)."""
    raw = await raw_body(request)
    if not raw:
        return None
    kind = media_type(request)
    if kind == JSON:
        return parsed_json(raw)
    if kind == YAML_TYPE:
        return parsed_yaml(raw)
    if kind == protobuf.MEDIA_TYPE:
        return protobuf.parsed(raw)
    raise unsupported_media_type((JSON, YAML_TYPE, protobuf.MEDIA_TYPE))


def parsed_json(raw: bytes) -> Any:
    """JSON values. Raises Refused (400)."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"the body is not valid JSON: {error}") from error
    if raw.count(b"{") + raw.count(b"[") > DEEPEST:
        _refuse_deep(value)
    return value


def parsed_yaml(raw: bytes) -> Any:
    """The values of one YAML document, of which JSON is a subset. Raises Refused (400)."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        value = _yaml(raw)
    _refuse_deep(value)
    return value


def _yaml(raw: bytes) -> Any:
    try:
        value = YAML(typ="safe", pure=True).load(raw)
        _refuse_multiplied(value)
        return orjson.loads(orjson.dumps(value))
    except (YAMLError, ValueError, TypeError, RecursionError) as error:
        raise bad_request(f"error converting YAML to JSON: {error}") from error


def _refuse_multiplied(value: Any) -> None:
    """Raises ValueError for aliases that stand for more than a body could hold, or for themselves."""
    sizes: dict[int, float] = {}

    def size(node: Any) -> float:
        if not isinstance(node, dict | list):
            return 1
        if id(node) not in sizes:
            sizes[id(node)] = math.inf  # until it is known: what holds itself has no size
            sizes[id(node)] = 1 + sum(map(size, _children(node)))
        return sizes[id(node)]

    if size(value) > MOST_VALUES:
        raise ValueError("its aliases multiply beyond measure")


def _refuse_deep(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST):
        level = [child for node in level if isinstance(node, dict | list) for child in _children(node)]
        if not level:
            return
    raise bad_request(f"the body is nested more than {DEEPEST} levels deep")


def _children(node: dict[str, Any] | list[Any]) -> list[Any]:
    return list(node.values()) if isinstance(node, dict) else node
