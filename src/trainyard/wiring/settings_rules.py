"""Settings that contradict one another, each key being right by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

from trainyard.runtimes.local.peers import MOST_PEERS, Peer

Table = Mapping[str, Any]
Fault = tuple[tuple[str, ...], str]


def contradictions(plain: Mapping[str, Any]) -> Iterator[Fault]:
    """(key, sentence) for everything that cannot hold together."""
    for group, rule in (
        ("buckets", _bucket),
        ("images", _image),
        ("networks", _network),
        ("file_systems", _file_system),
        ("roles", _role),
        ("keys", _access_key),
    ):
        for name, table in plain.get(group, {}).items():
            for key, text in rule(table):
                yield (group, name, *((key,) if key else ())), f'{group}."{name}" {text}'
    for (one, first), (other, second) in combinations(plain.get("networks", {}).items(), 2):
        if _shared(first, second, "subnets") and _shared(first, second, "security_groups"):
            text = f'networks."{other}" shares a subnet and a security group with "{one}": jobs could mean both.'
            yield ("networks", other), text


def _bucket(table: Table) -> Iterator[tuple[str, str]]:
    places = [key for key in ("folder", "endpoint", "embedded") if table.get(key)]
    if len(places) > 1:
        yield places[1], f"is in two places: {places[0]} and {places[1]}. Keep one."
    yield from _keys(table)


def _image(table: Table) -> Iterator[tuple[str, str]]:
    if bool(table.get("command")) == ("python" in table):
        yield "", "needs either a command or a python."


def _network(table: Table) -> Iterator[tuple[str, str]]:
    for key in ("subnets", "security_groups"):
        if not table.get(key):
            yield "", f"names no {key}, so no job can mean it."
    peers = table.get("peers", [])
    if (table.get("access") == "peers") != bool(peers):
        yield "", 'needs both access = "peers" and a list of peers, or neither.'
    if len(peers) > MOST_PEERS:
        yield "peers", f"has {len(peers)} peers; {MOST_PEERS} are the most."
    for peer in peers:
        try:
            Peer.parse(peer)
        except ValueError as error:
            yield "peers", f"has a peer that cannot be: {error}"


def _file_system(table: Table) -> Iterator[tuple[str, str]]:
    folder = table.get("folder", "")
    if not folder.startswith("/"):
        yield "folder" if folder else "", "needs a folder, by its absolute path."
    elif f"{folder.rstrip('/')}/".startswith("/opt/ml/"):
        yield "folder", "has a folder below /opt/ml, where each job sees its own files."


def _role(table: Table) -> Iterator[tuple[str, str]]:
    ways = [key for key in ("access_key", "profile", "credentials") if key in table]
    if len(ways) != 1:
        yield "", 'needs one of: access_key and secret_key, profile, or credentials = "none".'
    if "session_token" in table and "access_key" not in table:
        yield "session_token", "has a session_token without its access_key."
    yield from _keys(table)


def _access_key(table: Table) -> Iterator[tuple[str, str]]:
    if "secret" not in table:
        yield "", "needs a secret."


def _keys(table: Table) -> Iterator[tuple[str, str]]:
    if ("access_key" in table) != ("secret_key" in table):
        yield "", "needs both access_key and secret_key, or neither."


def _shared(one: Table, other: Table, key: str) -> bool:
    return not {*one.get(key, [])}.isdisjoint(other.get(key, []))
