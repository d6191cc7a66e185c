"""What the door knows of one kind: its names, where it is stored, what its columns and rules are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from trainyard.ports.resources import Body, Collection, Entry

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Column:
    """One printer column, as CustomResourceDefinitions declare them. Priority above 0 shows in wide output only.

    path: a JSONPath without braces, `.status.phase`.
    cell: computes what no path can say, instead of it.
    """

    name: str
    path: str
    type: str = "string"
    priority: int = 0
    description: str = ""
    format: str = ""
    cell: Callable[[Body], Any] | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """How a version's objects differ from the stored ones: two functions, each inverse to the other."""

    read: Callable[[Body], Body]
    store: Callable[[Body], Body]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind in one version of its group.

    status    : the status is a subresource of its own.
    counted   : objects have a `metadata.generation`.
    free      : a PUT without resourceVersion overwrites.
    schema    : the OpenAPI v3 schema of an object.
    custom    : defined by a stored CustomResourceDefinition.
    closing   : the definition is being deleted, and takes no new objects.
    review    : a question that is answered and not stored.
    stored_as : the collection of another group that holds the objects, if not the kind's own.
    form      : how the objects of that collection look in this version.
    selectable: fields besides metadata.name and metadata.namespace that a field selector may name.
    """

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    singular: str = ""
    list_kind: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    status: bool = False
    counted: bool = False
    free: bool = False
    custom: bool = False
    closing: bool = False
    review: bool = False
    schema: dict[str, Any] = field(default_factory=dict)
    columns: tuple[Column, ...] = ()
    selectable: tuple[str, ...] = ()
    stored_as: Collection | None = None
    form: Form | None = None

    @property
    def collection(self) -> Collection:
        """Where its objects are stored."""
        return self.stored_as or Collection(self.group, self.plural)

    @property
    def api_version(self) -> str:
        """`group/version`, or the version alone for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """`plural.group`, as error messages name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def shown(self, entry: Entry) -> Body:
        """The object as clients of this version see it."""
        body = self.form.read(entry.body) if self.form else entry.body
        metadata = {**body["metadata"], "resourceVersion": str(entry.revision)}
        return {"apiVersion": self.api_version, "kind": self.kind, **_rest(body), "metadata": metadata}

    def kept(self, shown: Body) -> Body:
        """The object as it is stored: without its revision."""
        metadata = {name: value for name, value in shown["metadata"].items() if name != "resourceVersion"}
        body = {"apiVersion": self.api_version, "kind": self.kind, **_rest(shown), "metadata": metadata}
        return self.form.store(body) if self.form else body


def _rest(body: Body) -> Body:
    return {name: value for name, value in body.items() if name not in {"apiVersion", "kind"}}
