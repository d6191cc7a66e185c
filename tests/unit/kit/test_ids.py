from __future__ import annotations

import os
import re
import uuid
from concurrent.futures import ThreadPoolExecutor

from trainyard.kit.ids import ordered_id, request_id


def test_what_is_made_later_comes_later_and_never_twice() -> None:
    made = [ordered_id(1_700_000_000.0 + second) for second in range(100)]
    assert made == sorted(made)
    assert all(re.fullmatch(r"[0-9a-f]{32}", one) for one in made)
    assert len({ordered_id(1.0) for _ in range(1000)}) == 1000


def test_a_request_is_named_by_a_random_uuid() -> None:
    made = {request_id() for _ in range(1000)}
    assert len(made) == 1000
    assert {(uuid.UUID(one).version, str(uuid.UUID(one)) == one) for one in made} == {(4, True)}


def test_a_forked_process_makes_ids_of_its_own() -> None:
    request_id()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, request_id().encode())
        os._exit(0)
    os.close(writing)
    with open(reading) as told:
        theirs = told.read()
    os.waitpid(child, 0)
    assert len(theirs) == 36
    assert theirs not in {request_id() for _ in range(300)}


def test_threads_are_given_different_ids() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = [one for many in pool.map(lambda _: [request_id() for _ in range(2000)], range(8)) for one in many]
    assert len(set(made)) == len(made)
