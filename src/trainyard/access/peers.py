"""Whose process is at the other end of a loopback connection, by the kernel's own table."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path

Address = tuple[str, int]
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_ESTABLISHED = "01"
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def owner_of(peer: Address, server: Address, tables: tuple[Path, ...] = _TABLES) -> int | None:
    """The user id of the process that connected from `peer` to `server`; None where the kernel names none.

    A socket that its process has left belongs to nobody: the table shows it with user 0 and no inode, and it counts
    as unknown, so that closing early makes nobody root.
    """
    wanted = {(_hex(peer, mapped), _hex(server, mapped)) for mapped in (False, True)}
    for table in tables:
        try:
            lines = table.read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            columns = line.split()
            if (columns[1], columns[2]) in wanted and columns[3] == _ESTABLISHED and columns[9] != "0":
                return int(columns[7])
    return None


def _hex(address: Address, mapped: bool) -> str:
    """As the table writes it: words of four bytes, each in the machine's order; IPv4 perhaps inside IPv6."""
    host, port = address
    packed = ipaddress.ip_address(host.split("%")[0]).packed
    if mapped and len(packed) == 4:
        packed = b"\0" * 10 + b"\xff\xff" + packed
    words = [packed[start : start + 4] for start in range(0, len(packed), 4)]
    return "".join(f"{socket.ntohl(int.from_bytes(word, 'big')):08X}" for word in words) + f":{port:04X}"
