"""A process that looks for patterns which RE2 cannot hold, and may be killed at any moment. Standard library only.

Started as `python -I -S regex_worker.py`, once per piece of log. It reads one line of JSON and then the piece:
{"patterns": […], "seconds": of CPU for each, "memory": bytes, "longest": bytes of a line}. It writes a line for
each: {"groups": n, "spent": seconds, "found": [[offset, text], …]} or {"failed": reason}. A pattern that takes longer
than its time is ended by the kernel, and the process with it: no line is written for it.
"""

from __future__ import annotations

import json
import re
import resource
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any

LONGEST_NUMBER = 64  # characters of a value that are told: no float needs more


def lines(data: bytes, longest: int) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Every line's offset and forms: as the service escapes it, and as it is."""
    start = 0
    while start < len(data):
        stop = data.find(b"\n", start)
        stop = len(data) if stop < 0 else stop
        line = data[start : min(stop, start + longest)].decode("utf-8", "replace")
        yield start, (line.replace("\t", "#011"), line) if "\t" in line else (line,)
        start = stop + 1


def look_for(pattern: str, told: list[tuple[int, tuple[str, ...]]]) -> dict[str, Any]:
    """What one pattern finds in all lines."""
    begin = time.process_time()
    try:
        compiled = re.compile(pattern)
        found = []
        for offset, forms in told if compiled.groups else ():
            match = next((match for form in forms if (match := compiled.search(form))), None)
            if match is not None and match[1] is not None and len(match[1]) <= LONGEST_NUMBER:
                found.append((offset, match[1]))
    except (re.error, MemoryError, RecursionError, OverflowError) as error:
        return {"failed": str(error) or type(error).__name__}
    return {"groups": compiled.groups, "spent": time.process_time() - begin, "found": found}


def main() -> None:
    """Answer one request."""
    request = json.loads(sys.stdin.buffer.readline())
    told = list(lines(sys.stdin.buffer.read(), request["longest"]))
    resource.setrlimit(resource.RLIMIT_AS, (request["memory"], request["memory"]))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    for pattern in request["patterns"]:
        signal.setitimer(signal.ITIMER_PROF, request["seconds"])
        answer = look_for(pattern, told)
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
