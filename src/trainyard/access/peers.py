"""Whose process is at the other end of a loopback connection, by the kernel's own word.

It is asked for the one socket (sock_diag(7)), at the same cost however many there are; where it does not answer such
questions, its table of all sockets is read.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from pathlib import Path

Address = tuple[str, int]
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_ESTABLISHED = "01"
_SOCK_DIAG, _BY_FAMILY, _REQUEST = 4, 20, 1  # linux/netlink.h, linux/sock_diag.h
_HEADER = 16  # bytes of nlmsghdr
_OWNER = 64  # bytes of inet_diag_msg before the user id
_ANY = (0xFFFFFFFF, 0xFFFFFFFF)  # INET_DIAG_NOCOOKIE
_PATIENCE = 1.0  # seconds; the kernel answers at once
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def owner_of(peer: Address, server: Address) -> int | None:
    """The user id of the process that connected from `peer` to `server`; None where the kernel names none.

    A socket that its process has left belongs to nobody: the kernel tells it with user 0 and no inode, and it counts
    as unknown, so that closing early makes nobody root.
    """
    try:
        return _asked(peer, server)
    except OSError:
        return owner_by_table(peer, server)


def owner_by_table(peer: Address, server: Address, tables: tuple[Path, ...] = _TABLES) -> int | None:
    """The same, of the table."""
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


def _asked(peer: Address, server: Address) -> int | None:
    """The same, of the one socket whose own end is `peer`. Raises OSError where the kernel knows none, or not how."""
    ours, theirs = (ipaddress.ip_address(host.split("%")[0]) for host in (peer[0], server[0]))
    family = socket.AF_INET if ours.version == 4 else socket.AF_INET6
    ends = struct.pack("!HH16s16s", peer[1], server[1], ours.packed, theirs.packed) + struct.pack("=III", 0, *_ANY)
    question = struct.pack("=BBBxI", family, socket.IPPROTO_TCP, 0, 0) + ends
    header = struct.pack("=IHHII", _HEADER + len(question), _BY_FAMILY, _REQUEST, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG) as kernel:
        kernel.settimeout(_PATIENCE)
        kernel.send(header + question)
        answer = kernel.recv(4096)
    (kind,) = struct.unpack_from("=H", answer, 4)
    if kind != _BY_FAMILY:
        raise OSError(-struct.unpack_from("=i", answer, _HEADER)[0], "the kernel tells nothing of that socket")
    state, (uid, inode) = answer[_HEADER + 1], struct.unpack_from("=II", answer, _HEADER + _OWNER)
    return uid if state == int(_ESTABLISHED) and inode else None


def _hex(address: Address, mapped: bool) -> str:
    """As the table writes it: words of four bytes, each in the machine's order; IPv4 perhaps inside IPv6."""
    host, port = address
    packed = ipaddress.ip_address(host.split("%")[0]).packed
    if mapped and len(packed) == 4:
        packed = b"\0" * 10 + b"\xff\xff" + packed
    words = [packed[start : start + 4] for start in range(0, len(packed), 4)]
    return "".join(f"{socket.ntohl(int.from_bytes(word, 'big')):08X}" for word in words) + f":{port:04X}"
