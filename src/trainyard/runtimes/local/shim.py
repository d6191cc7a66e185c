"""The first process of a host: starts the user's program, passes signals on, reaps, and writes how it ended.

A fork of the supervisor, without exec, in a session of its own: it outlives the supervisor and needs nobody. When it
goes, the kernel ends everything in its pid namespace; where there is none, it ends its descendants itself.
Standard library only.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
from contextlib import suppress
from typing import Any, NoReturn

from trainyard.kit import atomic
from trainyard.kit.crashpoint import crashpoint
from trainyard.runtimes.local import descriptors, doorway, identity, linking, mounts, namespaces
from trainyard.runtimes.local.attempt import Attempt

LONGEST_EXIT = 64  # bytes of exit.json
_LONGEST_ANSWER = 1 << 16  # bytes of what a fork tells of the host that it prepared
_NOTE = ".exit.json.tmp"
NO_SUCH_PROGRAM = 127  # as shells and container engines say
_PASSED_ON: dict[int, signal.Signals] = {
    signal.SIGTERM: signal.SIGTERM,
    signal.SIGUSR1: signal.SIGKILL,
}  # what the supervisor asks for
_HEARD = {signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD}


def start(attempt: Attempt, order: dict[str, Any]) -> dict[str, Any]:
    """Fork a shim; returns {"identity": …, "notices": [...]} or {"refused": sentence}. Returns once it is recorded.

    With the first, where the order has a doorway: {"listener": socket}, made in the program's network.

    The lock is inherited by the fork: a supervisor that follows a killed one waits until the fork has recorded the shim
    or died, so there is never a second program.
    """
    if order.get("refused"):
        return {"refused": order["refused"]}
    lock = os.open(attempt.folder / "shim.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        who = atomic.read_json(attempt.shim)
        return _forked(attempt, order, lock) if who is None else {"identity": who, "notices": who.get("notices", [])}
    finally:
        os.close(lock)


def _forked(attempt: Attempt, order: dict[str, Any], lock: int) -> dict[str, Any]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        child = os.fork()
        if child == 0:
            signal.set_wakeup_fd(-1)
            descriptors.close_all_but(theirs.fileno(), lock)
            _become(attempt, order, theirs)
        theirs.close()
        crashpoint("forked")
        told, handed, _, _ = socket.recv_fds(ours, _LONGEST_ANSWER, 1)
    os.waitpid(child, 0)
    answer: dict[str, Any] = json.loads(told) if told else {"refused": "the program's host could not be prepared"}
    return {**answer, "listener": socket.socket(fileno=handed[0])} if handed else answer


def see_to_gateway(attempt: Attempt, order: dict[str, Any], who: dict[str, Any]) -> None:
    """Replace the way to the job's peers where it was killed; nothing to do for a job without peers."""
    if order.get("peers"):
        from trainyard.runtimes.local import gateway  # noqa: PLC0415 - other jobs do not pay for it

        gateway.replace_if_gone(attempt, order, who)


def _become(attempt: Attempt, order: dict[str, Any], answering: socket.socket) -> NoReturn:
    """Enter the namespaces and fork the shim proper, which may be the first of its pid namespace."""
    try:
        os.setsid()
        folder = os.open(attempt.folder, os.O_RDONLY | os.O_DIRECTORY)
        log = os.open(attempt.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        way = _gateway(attempt, order)
        first, mounted, notices = namespaces.enter(
            attempt.ml, hostname="algo-1", isolate=order["isolate"], names=way.names if way else None
        )
        mounts.bind(attempt.ml, order.get("mounts", []), is_private=mounted)
        mounts.show_streams(attempt.folder, order.get("fastfile", []), is_private=mounted)
        if not mounted and order.get("link_opt_ml"):
            linking.link(attempt.ml.parent, "/opt")
            mounted, notices = True, [linking.NOTICE]
        listener, door = _doorway(order, notices, entered=first or mounted)
        released, gate = os.pipe()
        shim = os.fork()
        if shim == 0:
            descriptors.close_all_but(folder, log, released, *([door["door"]] if "door" in door else []))
            if not os.read(released, 1):  # not before its identity is on the disk, and not without it
                os._exit(0)
            os.close(released)
            _run({**order, **_environment(order, door)}, folder, log, first=first, mounted=mounted)
        who = {**identity.identify(shim), **door}
        if way is not None:
            way.open(who)
        atomic.write_json(attempt.shim, {**who, "notices": notices})
        os.write(gate, b"\n")  # first, and whether or not the supervisor still lives to hear of it
        socket.send_fds(answering, [json.dumps({"identity": who, "notices": notices}).encode()], listener)
    except namespaces.IsolationUnavailable as error:
        text = f"The job's network cannot be kept apart on this machine ({error}); the program was not started."
        answering.send(json.dumps({"refused": text}).encode())
    except mounts.MountRefused as error:
        answering.send(json.dumps({"refused": str(error)}).encode())
    except BrokenPipeError:
        pass  # the supervisor was killed; the next one finds the shim recorded
    except OSError as error:
        answering.send(json.dumps({"refused": f"the program's host could not be prepared: {error}"}).encode())
    finally:
        os._exit(0)


def _doorway(order: dict[str, Any], notices: list[str], *, entered: bool) -> tuple[list[int], dict[str, int]]:
    """The socket where the program's AWS clients are answered (at most one descriptor), and where to find it.

    {"port": …, "door": the descriptor by which the host holds it, where others can fetch it from there}.
    """
    if not order.get("doorway"):
        return [], {}
    try:
        listener = doorway.listen()
    except OSError as error:
        notices.append(
            f"The program's AWS clients are not answered: no socket on {doorway.ADDRESS} ({error.strerror})."
        )
        return [], {}
    port: int = listener.getsockname()[1]
    descriptor = listener.detach()
    held = {"door": descriptor} if namespaces.can_fetch_from(entered=entered) else {}
    return [descriptor], {"port": port, **held}


def _environment(order: dict[str, Any], door: dict[str, int]) -> dict[str, Any]:
    """The order's variables, with those that lead to the doorway; what the job says of them itself goes before."""
    return {"env": {**doorway.variables(order, door["port"]), **order["env"]}} if door else {}


def _gateway(attempt: Attempt, order: dict[str, Any]) -> Any:
    """The way to the job's peers, which begins in the machine's network; none for a job without peers."""
    if not order.get("peers"):
        return None
    from trainyard.runtimes.local import gateway  # noqa: PLC0415 - other jobs do not pay for it

    return gateway.Gateway(attempt, order["peers"])


def _run(order: dict[str, Any], folder: int, log: int, *, first: bool, mounted: bool) -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    if first:
        namespaces.fresh_proc()
    else:
        namespaces.become_subreaper()
    note = _reserve_exit(folder)
    program = os.fork()
    if program == 0:
        _exec(order, log, mounted=mounted)
    os.close(log)
    status = _reap(program)
    code = os.waitstatus_to_exitcode(status)
    _write_exit(folder, note, {"code": 128 - code if code < 0 else code})
    if not first:
        _end_descendants()
    os._exit(0)


def _exec(order: dict[str, Any], log: int, *, mounted: bool) -> NoReturn:
    """Become the user's program: clean environment, no descriptor of ours, default signals."""
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, set())
        for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGUSR1, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.closerange(3, 1024)
        real = {"SAGEMAKER_BASE_DIR": order["ml"], **order.get("unmounted_env", {})}
        environment = order["env"] if mounted else {**order["env"], **real}
        os.chdir("/opt/ml/code" if mounted else f"{order['ml']}/code")
        argv = order["argv"]
        os.execvpe(argv[0], argv, environment)  # noqa: S606 - argv is a list, never a shell's string
    except OSError as error:
        os.write(2, f"cannot start {order['argv'][0]!r}: {error.strerror}\n".encode())
    finally:
        os._exit(NO_SUCH_PROGRAM)


def _reap(program: int) -> int:
    """Wait for the program, reaping orphans and passing SIGTERM on meanwhile; returns its wait status."""
    while True:
        number = signal.sigwait(_HEARD)
        if number in _PASSED_ON:
            with suppress(ProcessLookupError):
                os.kill(program, _PASSED_ON[number])
            continue
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == program:
                return status
            if pid == 0:
                break


def _reserve_exit(folder: int) -> int:
    """Take the room of exit.json before the program can fill the disk.

    By the folder's descriptor: its path may not exist in this view of the machine.
    """
    note = os.open(_NOTE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644, dir_fd=folder)
    os.write(note, b" " * LONGEST_EXIT)
    return note


def _write_exit(folder: int, note: int, result: dict[str, Any]) -> None:
    """exit.json, whole or not at all; trailing spaces are JSON's own."""
    os.pwrite(note, json.dumps(result).encode().ljust(LONGEST_EXIT), 0)
    os.fsync(note)
    os.rename(_NOTE, "exit.json", src_dir_fd=folder, dst_dir_fd=folder)
    os.fsync(folder)


def _end_descendants() -> None:
    """Without a pid namespace: kill what the program left behind, all of which is ours by now (subreaper)."""
    while True:
        children = _children(os.getpid())
        if not children:
            return
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(-1, 0)


def _children(parent: int) -> list[int]:
    with open(f"/proc/{parent}/task/{parent}/children") as file:
        return [int(pid) for pid in file.read().split()]
