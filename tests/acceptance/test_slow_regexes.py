"""A regex without an end and a chatty log: the metric is given up, out loud, and everything else goes on."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.jobs import ended, home, python, request, shell

from trainyard.wiring.session import open_session

DEFINITIONS = [
    {"Name": "endless", "Regex": r"(?=a)((?:a+)+)+$"},
    {"Name": "after", "Regex": r"(?<=loss=)([0-9.]+)"},
    {"Name": "plain", "Regex": "loss=([0-9.]+)"},
]
CHATTY = """
for turn in range(30_000):
    print("a" * 60 + "!", turn)
    if turn % 10_000 == 0:
        print(f"loss={turn / 10_000}")
"""


async def test_an_endless_regex_is_given_up_and_neither_job_nor_engine_waits(tmp_path: Path) -> None:
    async with open_session(home(tmp_path), lead=True) as session:
        chatty = request(tmp_path, "job", python(CHATTY, MetricDefinitions=DEFINITIONS))
        created = await session.service.create(chatty)
        assert len([notice for notice in created.notices if "runs slowly" in notice]) == 2
        await session.service.create(request(tmp_path, "other", shell("true")))
        ran, other = await ended(session, tmp_path), await ended(session, tmp_path, "other")
        series = {one.name: [value for _, value in one.points] for one in await session.service.metrics("job")}
        events = await session.service.events("job")
    assert (ran.ended, other.ended) == (("Completed", "Completed"), ("Completed", "Completed"))
    assert series["after"] == series["plain"] == [0.0, 1.0, 2.0]
    assert "endless" not in series
    assert [event.reason for event in events.items if "'endless'" in event.message].count("MetricGivenUp") == 1
    assert any("'endless' took too long" in notice for notice in ran.job.notices)
