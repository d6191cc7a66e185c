"""The AWS query protocol: a form in, XML out. Of STS, IAM and older CloudWatch clients."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from trainyard.awswire.calls import REQUEST_ID, Answer, Call, Refusal
from trainyard.awswire.json_door import not_authorized
from trainyard.awswire.shapes import Entries, Moment
from trainyard.awswire.sigv4 import Fault, SignatureRefused

MOST_FIELDS = 10_000
Form = Mapping[str, str]
Member = str | bool | int | float | Mapping[str, "Member"] | Sequence["Member"]
Members = Mapping[str, Member]
Run = Callable[[Call, Form], Awaitable[Members]]


@dataclass(frozen=True, slots=True)
class Action:
    """One action: from the form's fields to the members of the result. A list's entries are called `member`."""

    run: Run
    writes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryDoor:
    """The door of one service.

    action    : how policies name the service.
    namespace : of its XML.
    """

    action: str
    version: str
    namespace: str
    actions: Mapping[str, Action]

    async def answer(self, call: Call, body: bytes) -> Answer:
        """Answer a call."""
        try:
            form = read_form(call, body)
            name = form.get("Action", "")
            members = await self._action(call, name).run(call, form)
        except Refusal as error:
            return self.refuse(call, error)
        return told(call, name, members, self.namespace)

    def refuse(self, call: Call, error: SignatureRefused | Refusal) -> Answer:
        """Say that a call does not get through."""
        return refused(call, error, self.namespace)

    def _action(self, call: Call, name: str) -> Action:
        action = self.actions.get(name)
        if action is None:
            raise no_action(name, self.version)
        if action.writes and call.reads_only:
            raise Refusal("AccessDenied", not_authorized(call, f"{self.action}:{name}"), status=403)
        return action


def told(call: Call, name: str, members: Members, namespace: str) -> Answer:
    """An action's result."""
    result = "".join(_element(member, inner) for member, inner in members.items())
    about = _element("RequestId", call.request_id)
    content = f"<{name}Result>{result}</{name}Result><ResponseMetadata>{about}</ResponseMetadata>"
    return _xml(call, 200, f"{name}Response", content, namespace)


def refused(call: Call, error: SignatureRefused | Refusal, namespace: str) -> Answer:
    """A call that does not get through."""
    plain = error if isinstance(error, Refusal) else signature_refusal(error)
    whose = "Sender" if plain.status < 500 else "Receiver"
    parts = (("Type", whose), ("Code", plain.code), ("Message", plain.message))
    content = f"<Error>{''.join(_element(name, text) for name, text in parts)}</Error>"
    return _xml(
        call, plain.status, "ErrorResponse", content + _element("RequestId", call.request_id), namespace
    )  # fmt: skip


def no_action(name: str, version: str) -> Refusal:
    """An action that nobody knows."""
    return Refusal("InvalidAction", f"Could not find operation {name[:64]} for version {version}")


def _xml(call: Call, status: int, root: str, content: str, namespace: str) -> Answer:
    body = f'<{root} xmlns="{namespace}">{content}</{root}>'.encode("utf-8", "replace")
    return Answer(status=status, body=body, headers=((REQUEST_ID, call.request_id), ("content-type", "text/xml")))


_CODES = {
    Fault.ABSENT: ("MissingAuthenticationToken", 403),
    Fault.AMBIGUOUS: ("IncompleteSignature", 400),
    Fault.UNSUPPORTED: ("IncompleteSignature", 400),
    Fault.MALFORMED: ("IncompleteSignature", 400),
    Fault.UNKNOWN_KEY: ("InvalidClientTokenId", 403),
    Fault.EXPIRED_KEY: ("ExpiredToken", 403),
}


def signature_refusal(error: SignatureRefused) -> Refusal:
    """What services of this protocol say of a signature."""
    code, status = _CODES.get(error.fault, ("SignatureDoesNotMatch", 403))
    return Refusal(code, error.message, status=status)


def read_form(call: Call, body: bytes) -> Form:
    """The fields, of the body or, for a GET, of the query. Raises Refusal."""
    text = call.request.query if call.request.method == "GET" else body
    try:
        return dict(parse_qsl(text.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        raise Refusal("MalformedQueryString", "The request's form cannot be read.") from None


def listed(form: Form, name: str) -> list[str]:
    """The texts of a list of the form: `NAME.member.1` and on."""
    numbered = re.compile(re.escape(name) + r"\.member\.([0-9]{1,9})")
    found = ((numbered.fullmatch(key), text) for key, text in form.items())
    return [text for _, text in sorted((int(match[1]), text) for match, text in found if match)]


def moment(at: float) -> str:
    """A time (epoch seconds), to the second."""
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def invalid(member: str, value: str, constraint: str) -> Refusal:
    """What services of this protocol say of a member that breaks its rule."""
    text = f"1 validation error detected: Value '{value[:256]}' at '{member}' failed to satisfy constraint: "
    return Refusal("ValidationError", f"{text}Member must {constraint}")


def required(form: Form, name: str) -> str:
    """A member that must be there. Raises Refusal."""
    if not form.get(name):
        text = (
            f"1 validation error detected: Value null at '{name[0].lower()}{name[1:]}' failed to satisfy constraint: "
        )
        raise Refusal("ValidationError", f"{text}Member must not be null")
    return form[name]


def _element(name: str, member: Member) -> str:
    return f"<{name}>{_content(member)}</{name}>"


def _content(member: Member) -> str:
    if isinstance(member, bool):
        return str(member).lower()
    if isinstance(member, Moment):
        return moment(member)
    if isinstance(member, int | float):
        return repr(member)
    if isinstance(member, str):
        return escape("".join(letter for letter in member if letter >= " " or letter in "\t\n"))
    if isinstance(member, Entries):
        return "".join(_element("entry", {"key": key, "value": value}) for key, value in member.items())
    if isinstance(member, Mapping):
        return "".join(_element(name, inner) for name, inner in member.items())
    return "".join(_element("member", inner) for inner in member)
