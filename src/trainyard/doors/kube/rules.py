"""The rules of `x-kubernetes-validations`: CEL over `self` and `oldSelf`, as the API server runs them.

Expressions come from whoever may define kinds, values from whoever may write objects; neither can hang or swell this
server. CEL's own runtime bounds nesting and iterations; the work that one evaluation may do in those bounds is judged
beforehand by the size of what it sees, and a rule that could do too much is not run and fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_optional, ext_strings

from trainyard.doors.kube.errors import Cause
from trainyard.doors.kube.patches import same
from trainyard.doors.kube.schema import MISSING, identity, member_path, shown

Schema = Mapping[str, Any]

RULES = "x-kubernetes-validations"
LONGEST_RULE = 20_000  # characters
_MOST_ITERATIONS = 10_000  # of one evaluation: CEL's runtime stops there
_MOST_EVALUATIONS = 5_000  # of one object
_LONGEST_WORK = 2_000_000_000  # characters that the evaluations of one object may look at
_LARGEST_WORK = 200_000_000  # characters that one evaluation may put together
_OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"
_STRINGS = re.compile(r"""[rRbB]*("{3}.*?"{3}|'{3}.*?'{3}|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')""", re.DOTALL)
_MACRO = re.compile(r"\.\s*(?:all|exists|exists_one|existsOne|map|filter|transformList|transformMap|split)\s*\(")
_OLD = re.compile(r"\boldSelf\b")
_GROWING = re.compile(r"\.\s*(replace|join|format)\s*\(")
_REASONS = {
    "FieldValueInvalid": "",
    "FieldValueForbidden": "Forbidden",
    "FieldValueRequired": "Required value",
    "FieldValueDuplicate": "Duplicate value",
}
# CEL's reserved words, which are escaped as names of members.
_RESERVED = frozenset(
    {"true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import",
     "let", "loop", "package", "namespace", "return", "var", "void", "while"}
)  # fmt: skip


class _Exhausted(Exception):  # noqa: N818 - it never leaves this module
    """The object's evaluations have done as much as they may."""


@dataclass(frozen=True, slots=True)
class _Expression:
    """A compiled rule and what its text tells of its cost."""

    compiled: Any
    macros: int
    sums: int
    transition: bool


@dataclass(slots=True)
class _Budget:
    evaluations: int = _MOST_EVALUATIONS
    work: int = _LONGEST_WORK

    def spend(self, expression: _Expression, size: int) -> None:
        rounds = (1, min(size, _MOST_ITERATIONS), _MOST_ITERATIONS)[min(expression.macros, 2)]
        self.evaluations -= 1
        self.work -= rounds * size
        grown = rounds * size * 2 ** min(expression.sums, 40) if expression.sums else 0
        if self.evaluations < 0 or self.work < 0 or grown > _LARGEST_WORK:
            raise _Exhausted


class _Seen:
    """What the rules of one value see, made once for all of them."""

    def __init__(self, value: Any, schema: Schema, old: Any, path: str) -> None:
        self.value = value
        self.path = path
        self.is_new = old is MISSING
        self.size = _size(value)
        self.old_size = 0 if self.is_new else _size(old)
        data = {"self": _celled(value, schema), "oldSelf": None if self.is_new else _celled(old, schema)}
        self._activation = _environment().Activation(data=data)

    def result(self, expression: _Expression, budget: _Budget) -> Any:
        """What an expression comes to. Raises _Exhausted."""
        budget.spend(expression, self.size + (self.old_size if expression.transition else 0))
        return expression.compiled.eval(activation=self._activation)


def broken_rules(body: Mapping[str, Any], schema: Schema, old: Mapping[str, Any] | None = None) -> list[Cause]:
    """Every rule that the object breaks, or breaks as a change of `old`. What did not change is not judged anew."""
    found: list[Cause] = []
    try:
        for cause in _judged(_rooted(body), schema, "", MISSING if old is None else _rooted(old), _Budget()):
            found.append(cause)  # noqa: PERF402 - what was found before the budget ended is told too
    except _Exhausted:
        found.append(Cause("", "FieldValueInvalid", f'Invalid value: "object": {_OUT_OF_BUDGET}'))
    return found


def unsound_rules(schema: Any, field: str) -> Iterator[Cause]:
    """The rules of a schema that cannot be run, by the field that the schema stands in."""
    if not isinstance(schema, Mapping):
        return
    rules = schema.get(RULES, [])
    if not isinstance(rules, list):
        yield Cause(f"{field}.{RULES}", "FieldValueInvalid", "Invalid value: must be a list of rules")
        rules = []
    for index, rule in enumerate(rules):
        where = f"{field}.{RULES}[{index}]"
        if not isinstance(rule, Mapping) or not isinstance(rule.get("rule"), str) or not rule["rule"].strip():
            yield Cause(f"{where}.rule", "FieldValueRequired", "Required value: rule is not specified")
            continue
        yield from _unsound(rule, where)
    properties = schema.get("properties", {})
    for name, below in properties.items() if isinstance(properties, Mapping) else ():
        yield from unsound_rules(below, f"{field}.properties[{name}]")
    for name in ("items", "additionalProperties"):
        yield from unsound_rules(schema.get(name), f"{field}.{name}")


def _unsound(rule: Mapping[str, Any], where: str) -> Iterator[Cause]:
    for name in ("rule", "messageExpression"):
        if isinstance(rule.get(name), str):
            try:
                _expression(rule[name])
            except ValueError as error:
                told = f"compilation failed: {error}"
                yield Cause(f"{where}.{name}", "FieldValueInvalid", f"Invalid value: {shown(rule[name])}: {told}")
    if rule.get("optionalOldSelf") is True:
        told = "Invalid value: true: rules on objects that are new as well as on changes are not served here"
        yield Cause(f"{where}.optionalOldSelf", "FieldValueInvalid", told)
    if rule.get("reason", "FieldValueInvalid") not in _REASONS:
        listed = ", ".join(f'"{reason}"' for reason in sorted(_REASONS))
        told = f"Unsupported value: {shown(rule['reason'])}: supported values: {listed}"
        yield Cause(f"{where}.reason", "FieldValueNotSupported", told)


@lru_cache(maxsize=1)
def _environment() -> Any:
    anything = {"self": cel.Type.DYN, "oldSelf": cel.Type.DYN}
    return cel.NewEnv(variables=anything, extensions=[ext_optional.ExtOptional(), ext_strings.ExtStrings()])


@lru_cache(maxsize=4096)
def _expression(text: str) -> _Expression:
    """Raises ValueError for what is no expression, and for one that could build texts without bound."""
    if len(text) > LONGEST_RULE:
        raise ValueError(f"a rule may have at most {LONGEST_RULE} characters")
    bare = _STRINGS.sub('""', text)
    growing = _GROWING.search(bare)
    if growing:
        raise ValueError(f"{growing[1]}() is not served here, for it can make a text of any length")
    try:
        compiled = _environment().compile(text)
    except RuntimeError as error:
        raise ValueError(str(error)[:1000]) from error
    return _Expression(compiled, len(_MACRO.findall(bare)), bare.count("+"), _OLD.search(bare) is not None)


def _rooted(body: Mapping[str, Any]) -> dict[str, Any]:
    """An object as rules see it: of its metadata only the names."""
    metadata = body.get("metadata") or {}
    named = {name: metadata[name] for name in ("name", "generateName") if name in metadata}
    return {**body, "metadata": named}


def _judged(value: Any, schema: Schema, path: str, old: Any, budget: _Budget) -> Iterator[Cause]:
    if old is not MISSING and same(value, old):
        return
    if value is None:
        return
    rules = schema.get(RULES)
    if rules:
        seen = _Seen(value, schema, old, path)
        for rule in rules:
            yield from _broken(rule, seen, budget)
    if isinstance(value, Mapping):
        before = old if isinstance(old, Mapping) else {}
        more = schema.get("additionalProperties")
        for name, part in value.items():
            below = schema.get("properties", {}).get(name, more)
            if isinstance(below, Mapping):
                yield from _judged(part, below, member_path(path, name), before.get(name, MISSING), budget)
    elif isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        keys = schema.get("x-kubernetes-list-map-keys", ())
        keyed = schema.get("x-kubernetes-list-type") == "map" and isinstance(old, list)
        known = {identity(item, keys): item for item in old} if keyed else {}
        for index, item in enumerate(value):
            earlier = known.get(identity(item, keys), MISSING)
            yield from _judged(item, schema["items"], f"{path}[{index}]", earlier, budget)


def _broken(rule: Mapping[str, Any], seen: _Seen, budget: _Budget) -> Iterator[Cause]:
    label = rule.get("message") or f"failed rule: {rule['rule'].strip()}"
    try:
        expression = _expression(rule["rule"])
    except ValueError as error:  # of a definition that was stored when its rules were not looked at
        yield _cause(rule, seen, f"{error} evaluating rule: {label}")
        return
    if expression.transition and seen.is_new:
        return
    result = seen.result(expression, budget)
    if result.type() == cel.Type.ERROR:
        yield _cause(rule, seen, f"{str(result.value())[:300]} evaluating rule: {label}")
    elif result.type() != cel.Type.BOOL:
        yield _cause(rule, seen, f"no boolean evaluating rule: {label}")
    elif result.value() is not True:
        yield _cause(rule, seen, _said(rule, seen, budget) or label.strip())


def _said(rule: Mapping[str, Any], seen: _Seen, budget: _Budget) -> str:
    """What the rule's own expression of a message says; nothing where it says none."""
    if not isinstance(rule.get("messageExpression"), str):
        return ""
    try:
        result = seen.result(_expression(rule["messageExpression"]), budget)
    except ValueError:
        return ""
    told = result.value() if result.type() == cel.Type.STRING else ""
    return told.strip() if "\n" not in told and len(told) <= 5 * 1024 else ""


def _cause(rule: Mapping[str, Any], seen: _Seen, message: str) -> Cause:
    field, value = seen.path, seen.value
    if isinstance(rule.get("fieldPath"), str):
        field = (field + rule["fieldPath"]).removeprefix(".")
    reason = rule.get("reason", "FieldValueInvalid")
    kind = "object" if isinstance(value, Mapping) else "array" if isinstance(value, list) else value
    word = _REASONS[reason]
    if word == "":
        return Cause(field, reason, f"Invalid value: {shown(kind)}: {message}")
    if reason == "FieldValueDuplicate":
        return Cause(field, reason, f"{word}: {shown(kind)}")
    return Cause(field, reason, f"{word}: {message}")


def _celled(value: Any, schema: Schema) -> Any:
    """A value as CEL sees it: numbers of the schema's kind, members under names that CEL can say."""
    if isinstance(value, Mapping):
        known, more = schema.get("properties", {}), schema.get("additionalProperties")
        celled = {}
        for name, part in value.items():
            below = known.get(name, more)
            inner = below if isinstance(below, Mapping) else {}
            celled[_escaped(name) if name in known else name] = _celled(part, inner)
        return celled
    if isinstance(value, list):
        items = schema.get("items")
        return [_celled(item, items if isinstance(items, Mapping) else {}) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and schema.get("type") == "number":
        return float(value)
    if isinstance(value, float) and schema.get("type") == "integer":
        return int(value)
    return value


def _escaped(name: str) -> str:
    if name.isidentifier() and "__" not in name:
        return f"__{name}__" if name in _RESERVED else name
    escaped = name.replace("__", "__underscores__")
    for letter, word in ((".", "__dot__"), ("-", "__dash__"), ("/", "__slash__")):
        escaped = escaped.replace(letter, word)
    return escaped


def _size(value: Any) -> int:
    """Values, and characters of texts and keys, that an evaluation may look at."""
    size, open_values = 0, [value]
    while open_values:
        one = open_values.pop()
        size += 1
        if isinstance(one, str):
            size += len(one)
        elif isinstance(one, Mapping):
            size += sum(map(len, one))
            open_values.extend(one.values())
        elif isinstance(one, list):
            open_values.extend(one)
    return size
