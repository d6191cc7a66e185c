"""A private view of the machine for one host, by Linux namespaces through ctypes. Standard library only.

As root the namespaces are made directly, as an ordinary user inside a user namespace of its own (same user id inside).
Each step that the system refuses becomes a notice; only isolation that cannot be had is an error.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Mapping
from pathlib import Path

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
_BIND, _REC, _PRIVATE, _RDONLY, _NOSUID, _NODEV, _NOEXEC = 4096, 16384, 1 << 18, 1, 2, 4, 8
_MOUNT_SETATTR = 442
_PIDFD_GETFD = 438  # both the same on every machine
_LIBC = ctypes.CDLL(None, use_errno=True)


class IsolationUnavailable(Exception):  # noqa: N818 - it names a state
    """The system gives no network namespace, so a promised isolation would be a lie."""


def enter(
    ml: Path, *, hostname: str, isolate: bool, names: Mapping[str, str] | None = None
) -> tuple[bool, bool, list[str]]:
    """Give the calling process private namespaces and /opt/ml = `ml`; `names` are hosts to know by an address.

    Returns (the next child is first of a pid namespace, /opt/ml is private, notices). Call it in a fresh fork.
    """
    notices: list[str] = []
    if os.geteuid() != 0 and not _user_namespace():
        if isolate:
            raise IsolationUnavailable("this system gives ordinary users no namespaces")
        return False, False, ["This system gives no namespaces: /opt/ml is not private; SM_* point at real folders."]
    if isolate:
        if _LIBC.unshare(NEWNET) != 0:
            raise IsolationUnavailable(os.strerror(ctypes.get_errno()))
        _loopback_up()
    notices += _own_memory_and_name(hostname)
    mounted = _private_mounts(ml.parent)
    if not (mounted and _bind_hosts(ml.parent.parent, {hostname: "127.0.0.1", **(names or {})})) and names:
        raise IsolationUnavailable("this system gives no private /etc/hosts, so the network's peers have no names")
    if not mounted:
        notices.append("This system gives no private mounts: /opt/ml is not private; SM_* point at real folders.")
    elif not _mount("tmpfs", "/dev/shm", "tmpfs", _NOSUID | _NODEV):  # noqa: S108 - the program's own shared memory
        notices.append("This system gives no private /dev/shm: the program shares memory files with other programs.")
    first = _LIBC.unshare(NEWPID) == 0
    if not first:
        notices.append("This system gives no pid namespace: daemons of the program are found by their session alone.")
    return first, mounted, notices


def _own_memory_and_name(hostname: str) -> list[str]:
    """Enter IPC and UTS namespaces; returns what the system refused of it."""
    notices, name = [], hostname.encode()
    if _LIBC.unshare(NEWIPC) != 0:
        notices.append("This system gives no IPC namespace: the program shares System V memory with other programs.")
    if _LIBC.unshare(NEWUTS) != 0 or _LIBC.sethostname(name, len(name)) != 0:
        notices.append(f"This system gives no host name of its own: the program is not on {hostname}.")
    return notices


def fresh_proc() -> None:
    """Show the pid namespace's own processes; for its first process."""
    _mount("proc", "/proc", "proc", _NOSUID | _NODEV | _NOEXEC)


def join_network(pid: int) -> None:
    """Enter the network namespace of another process of ours. Call it in a fresh fork. Raises OSError."""
    kinds = ("net",) if os.geteuid() == 0 else ("user", "net")
    opened = [os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in kinds]
    for descriptor in opened:
        if _LIBC.setns(descriptor, 0) != 0:
            raise OSError(ctypes.get_errno(), "the network namespace cannot be entered")
        os.close(descriptor)


def bind(source: int, target: str, *, read_only: bool) -> None:
    """Show a folder (its descriptor) at `target`, and what is mounted below it. Raises OSError."""
    if not _mount(f"/proc/self/fd/{source}", target, None, _BIND | _REC):
        raise OSError(ctypes.get_errno(), "it cannot be bound")
    if read_only:
        attributes = struct.pack("=QQQQ", 0x1, 0, 0, 0)  # set MOUNT_ATTR_RDONLY
        here, recursive = ctypes.c_long(-100), ctypes.c_ulong(0x8000)
        if _LIBC.syscall(_MOUNT_SETATTR, here, target.encode(), recursive, attributes, ctypes.c_size_t(32)) != 0:
            raise OSError(ctypes.get_errno(), "this kernel cannot make it read-only")


def fetched(pid: int, number: int) -> int:
    """A copy of descriptor `number` of another process of ours (pidfd_getfd(2)). Raises OSError."""
    process = os.pidfd_open(pid)
    try:
        descriptor: int = _LIBC.syscall(_PIDFD_GETFD, process, number, 0)
    finally:
        os.close(process)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    os.set_inheritable(descriptor, False)
    return descriptor


def can_fetch_from(*, entered: bool) -> bool:
    """Whether others of ours can fetch descriptors of the calling process later, which may have entered namespaces.

    Some systems forbid the call; others allow it to ancestors alone, but for root and who owns the user namespace.
    """
    try:
        os.close(fetched(os.getpid(), 0))
    except OSError:
        return False
    return entered or os.geteuid() == 0


def mount_fuse(device: int, target: str) -> None:
    """Mount what will be answered through the device /dev/fuse, read-only. Raises OSError."""
    data = f"fd={device},rootmode=40000,user_id={os.geteuid()},group_id={os.getegid()}"
    if not _mount("trainyard", target, "fuse.trainyard", _RDONLY | _NOSUID | _NODEV, data):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def unmount(target: str) -> None:
    """Take a mount out of its place; what it is bound to elsewhere stays. Raises OSError."""
    detach = 2
    if _LIBC.umount2(target.encode(), detach) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def private_view() -> None:
    """Mounts of our own, and a place to try one out: an empty /opt. Raises OSError where this system gives none."""
    if os.geteuid() != 0 and not _user_namespace():
        raise OSError(0, "it gives ordinary users no namespaces")
    if _LIBC.unshare(NEWNS) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    _mount("none", "/", None, _REC | _PRIVATE)
    if not _mount("tmpfs", "/opt", "tmpfs", _NOSUID | _NODEV, "mode=755"):
        raise OSError(0, "it gives no private mounts")


def die_with_parent(number: int) -> None:
    """Ask the kernel to send `number` to the calling process when its parent ends."""
    _LIBC.prctl(1, number, 0, 0, 0)


def become_subreaper() -> None:
    """Adopt orphans below the calling process."""
    _LIBC.prctl(36, 1, 0, 0, 0)


def punch_hole(descriptor: int, start: int, length: int) -> bool:
    """Free the blocks of a part of a file; offsets stay."""
    keep_size_punch = 0x01 | 0x02
    return bool(_LIBC.fallocate(descriptor, keep_size_punch, ctypes.c_long(start), ctypes.c_long(length)) == 0)


def _user_namespace() -> bool:
    uid, gid = os.geteuid(), os.getegid()
    if _LIBC.unshare(NEWUSER) != 0:
        return False
    try:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    except OSError:
        return False
    return True


def _private_mounts(opt: Path) -> bool:
    """Folders of the attempt's own /opt take the places of the machine's; the rest of /opt stays."""
    if _LIBC.unshare(NEWNS) != 0:
        return False
    _mount("none", "/", None, _REC | _PRIVATE)
    own = {name: os.open(opt / name, os.O_PATH | os.O_DIRECTORY) for name in os.listdir(opt)}
    kept = {name: os.open(f"/opt/{name}", os.O_PATH) for name in os.listdir("/opt") if name not in own}
    try:
        if not _mount("tmpfs", "/opt", "tmpfs", _NOSUID | _NODEV, "mode=755"):
            return False
        bound = [_bind_back(name, descriptor) for name, descriptor in {**kept, **own}.items()]
    finally:
        for descriptor in (*own.values(), *kept.values()):
            os.close(descriptor)
    return all(bound[len(kept) :])


def _bind_back(name: str, descriptor: int) -> bool:
    target, source = Path("/opt") / name, f"/proc/self/fd/{descriptor}"
    if Path(source).is_dir():
        target.mkdir()
    else:
        target.touch()
    return _mount(source, str(target), None, _BIND | _REC)


def _bind_hosts(scratch: Path, names: Mapping[str, str]) -> bool:
    """The job's hosts and peers resolve by name, whatever the machine's own file says."""
    hosts = scratch / "etc-hosts"
    try:
        hosts.write_text(_hosts_file(Path("/etc/hosts").read_text(), names))
    except OSError:
        return False
    return _mount(str(hosts), "/etc/hosts", None, _BIND)


def _hosts_file(machines: str, names: Mapping[str, str]) -> str:
    """The job's own names first; what the machine says of those names is left out."""
    kept = []
    for line in machines.splitlines():
        address, *known = line.partition("#")[0].split() or [""]
        others = [name for name in known if name.lower() not in names]
        if others:
            kept.append(f"{address} {' '.join(others)}")
    return "\n".join([*(f"{address} {name}" for name, address in names.items()), *kept, ""])


def _mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> bool:
    encoded = [None if text is None else text.encode() for text in (source, target, kind, data)]
    return bool(_LIBC.mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3]) == 0)


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        fcntl.ioctl(probe, 0x8914, struct.pack("16sH22x", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS, IFF_UP | IFF_RUNNING
