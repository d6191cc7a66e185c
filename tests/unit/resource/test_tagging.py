"""The controller's tags beside the user's: never too many, never over the user's, and only ours are taken off."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.model.errors import TrainyardError
from trainyard.resource import tagging
from trainyard.resource.tagging import MOST, Maker

keys = st.text("abc:/.", min_size=1, max_size=4) | st.sampled_from(["aws:x", "services.k8s.aws/namespace", "team"])
some = st.dictionaries(keys, st.text("xyz", max_size=3), max_size=MOST).map(lambda tags: tuple(tags.items()))
MAKER = Maker(namespace="n", name="job", uid="u", version="", labels={})


@given(some, some)
def test_a_job_has_no_more_tags_than_it_may_and_the_users_are_all_there(
    given: tagging.Tags, flags: tagging.Tags
) -> None:
    tags = tagging.with_defaults(given, tagging.default_tags(flags, MAKER))
    assert len(tags) <= MOST
    assert tags[: len(given)] == given
    assert len({key for key, _ in tags}) == len(tags)
    if len(given) < MOST and tagging.OWNER not in dict(given):
        assert tagging.owner_of(tags) == "u"


@given(some, some, st.lists(keys, max_size=10))
def test_tags_come_to_what_is_wanted_and_others_stay(
    wanted: tagging.Tags, found: tagging.Tags, managed: list[str]
) -> None:
    add, remove = tagging.to_add(wanted, found), tagging.to_remove(managed, wanted, found)
    after = {key: value for key, value in {**dict(found), **dict(add)}.items() if key not in remove}
    assert {key: after.get(key) for key, _ in wanted} == dict(wanted)
    foreign = {key: value for key, value in found if key not in managed and key not in dict(wanted)}
    assert {key: after.get(key) for key in foreign} == foreign
    assert not any(tagging.is_system(key) for key in remove)
    assert not tagging.to_add(wanted, tuple(after.items()))


def test_placeholders_become_words_and_those_that_come_to_nothing_are_left_out() -> None:
    flags = tagging.templates(
        ["a=%K8S_NAMESPACE%-%K8S_RESOURCE_NAME%", "b=%KRO_VERSION%", "c=%OTHER%", "d=v-%CONTROLLER_VERSION%"]
    )
    assert dict(tagging.default_tags(flags, MAKER)) == {
        tagging.OWNER: "u",
        "a": "n-job",
        "c": "%OTHER%",
        "d": "v-unknown",
    }


@pytest.mark.parametrize("flag", ["a", "=b", "a=b=c", ""])
def test_a_tag_that_is_none_is_refused(flag: str) -> None:
    with pytest.raises(TrainyardError, match="invalid resource tag"):
        tagging.templates([flag])
