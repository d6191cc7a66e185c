"""What reads hostile text and bytes: it answers or refuses, and does no third thing."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.access.callers import Caller, Role
from trainyard.doors.kube import jsonpath, protobuf, tables
from trainyard.doors.kube.bodies import parsed_json, parsed_yaml
from trainyard.doors.kube.builtin import ACCESS_REVIEW, CONFIG_MAP, EVENT, KINDS, NAMESPACE, NEW_EVENT, SECRET
from trainyard.doors.kube.errors import Refused
from trainyard.doors.kube.events import to_core, to_new
from trainyard.doors.kube.paths import Target, target_of
from trainyard.doors.kube.reviews import answered, permit
from trainyard.doors.kube.selectors import selector_of


def field(number: int, value: bytes) -> bytes:
    return bytes([number << 3 | 2, len(value)]) + value


def namespace_in_protobuf(name: bytes) -> bytes:
    head = field(1, b"v1") + field(2, b"Namespace")
    return b"k8s\0" + field(1, head) + field(2, field(1, field(1, name) + field(8, b"")))


def test_a_protobuf_namespace_is_read() -> None:
    assert protobuf.parsed(namespace_in_protobuf(b"foo")) == {
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "foo"}
    }  # fmt: skip


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_a_protobuf_object_or_refused(data: bytes, framed: bool) -> None:
    head = field(1, field(1, b"v1") + field(2, b"ConfigMap"))
    raw = b"k8s\0" + head + field(2, data[:127]) if framed else data
    with suppress(Refused):
        assert isinstance(protobuf.parsed(raw), dict)


@given(st.binary(max_size=300))
def test_any_bytes_are_json_or_yaml_or_refused(data: bytes) -> None:
    for read in (parsed_json, parsed_yaml):
        with suppress(Refused):
            read(data)


def test_aliases_that_multiply_are_refused() -> None:
    levels = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))
    with pytest.raises(Refused):
        parsed_yaml(f"a0: &a0 [x]\n{levels}\n".encode())


SELECTOR = st.text(alphabet="ab=!,()in not></.-_ 1", max_size=60)


@given(SELECTOR, SELECTOR)
def test_any_selector_is_read_or_refused(labels: str, fields: str) -> None:
    with suppress(Refused):
        selector_of(CONFIG_MAP, labels, fields).matches({"metadata": {"name": "a", "labels": {"a": "b"}}})


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("a=b", True), ("a==b", True), ("a!=b", False), ("c!=b", True), ("a", True), ("!a", False), ("!c", True),
        ("a in (b, c)", True), ("a notin (b)", False), ("c notin (b)", True), ("n>4", True), ("n<5", False),
        ("a=b,n in (5)", True), ("a=b,c", False), ("example.com/x=y", True), ("", True),
    ],
)  # fmt: skip
def test_label_selectors_mean_what_kubernetes_means(text: str, matches: bool) -> None:
    labels = {"a": "b", "n": "5", "example.com/x": "y"}
    assert selector_of(CONFIG_MAP, text, "").matches({"metadata": {"labels": labels}}) is matches


@given(st.text(alphabet=".[]*?()@='\"ab01-", max_size=40))
def test_any_path_is_followed_or_refused(path: str) -> None:
    with suppress(jsonpath.PathRefused):
        jsonpath.found({"a": [{"b": 1}, {"b": True}], "b": None}, path)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".a[0].b", [1]), (".a[*].b", [1, "x"]), ('.a[?(@.b=="x")].c', [2]), (".a[-1].c", [2]), (".none.b", []),
        (r".dotted\.key", [3]), (".['dotted.key']", [3]), (".a[?(@.b==1)].b", [1]),
    ],
)  # fmt: skip
def test_a_path_finds(path: str, found: list[object]) -> None:
    assert jsonpath.found({"a": [{"b": 1}, {"b": "x", "c": 2}], "dotted.key": 3}, path) == found


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"), (119, "119s"), (120, "2m"), (125, "2m5s"), (610, "10m"), (10_800, "3h"), (12_000, "3h20m"),
        (100_000, "27h"), (200_000, "2d7h"), (864_000, "10d"), (86_400 * 800, "2y70d"), (86_400 * 3000, "8y"),
    ],
)  # fmt: skip
def test_an_age_is_written_as_kubectl_writes_it(seconds: int, text: str) -> None:
    assert tables.duration(seconds) == text


def test_an_event_is_the_same_in_both_apis() -> None:
    core = {"metadata": {"name": "e"}, "involvedObject": {"name": "a"}, "message": "m", "source": {"component": "c"}}
    assert to_new(core)["note"] == "m"
    assert to_core(to_new(core)) == {**core, "apiVersion": "v1"}
    assert NEW_EVENT.collection == EVENT.collection


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/api/v1/namespaces", Target("", "v1", "namespaces")),
        ("/api/v1/namespaces/a", Target("", "v1", "namespaces", "", "a")),
        ("/api/v1/namespaces/a/status", Target("", "v1", "namespaces", "", "a", "status")),
        ("/api/v1/namespaces/a/pods", Target("", "v1", "pods", "a")),
        ("/apis/g/v1/namespaces/a/ws/b/status", Target("g", "v1", "ws", "a", "b", "status")),
        ("/apis/g/v1/ws/b", Target("g", "v1", "ws", "", "b")),
        ("/apis/g/v1/namespaces/a/ws/b/c/d", None),
        ("/apis/g", None),
        ("/else", None),
    ],
)
def test_a_path_names_a_target(path: str, target: Target | None) -> None:
    assert target_of(path) == target


@pytest.mark.parametrize(
    ("caller", "method", "target", "allowed"),
    [
        (Caller("r", Role.READ), "GET", Target("", "v1", "configmaps", "a"), True),
        (Caller("r", Role.READ), "POST", Target("", "v1", "configmaps", "a"), False),
        (Caller("r", Role.READ), "GET", Target("", "v1", "secrets", "a"), False),
        (Caller("s", Role.SUBMIT, frozenset({"a"})), "POST", Target("", "v1", "configmaps", "a"), True),
        (Caller("s", Role.SUBMIT, frozenset({"a"})), "GET", Target("", "v1", "configmaps", "b"), False),
        (Caller("s", Role.SUBMIT, frozenset({"a"})), "GET", Target("", "v1", "configmaps"), False),
        (Caller("s", Role.SUBMIT), "POST", Target("", "v1", "namespaces"), False),
        (Caller("s", Role.SUBMIT), "DELETE", Target("", "v1", "namespaces", "", "a"), False),
        (Caller("a", Role.ADMIN), "POST", Target("", "v1", "namespaces"), True),
    ],
)
def test_a_role_and_a_scope_decide(caller: Caller, method: str, target: Target, allowed: bool) -> None:
    kind = {"configmaps": CONFIG_MAP, "secrets": SECRET, "namespaces": NAMESPACE}[target.plural]
    if allowed:
        permit(caller, method, kind, target)
        return
    with pytest.raises(Refused) as refusal:
        permit(caller, method, kind, target)
    assert refusal.value.code == 403


def test_a_review_answers_for_the_caller() -> None:
    asked = {"spec": {"resourceAttributes": {"verb": "create", "resource": "configmaps", "namespace": "a"}}}
    assert answered(ACCESS_REVIEW, asked, Caller("r", Role.READ), KINDS)["status"]["allowed"] is False
    assert answered(ACCESS_REVIEW, asked, Caller("s", Role.SUBMIT), KINDS)["status"]["allowed"] is True
