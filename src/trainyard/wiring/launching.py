"""Which launcher a job gets, process or container, and why: chosen once, when the job is created, and kept with it.

In this order: what trainyard.toml says of the image; an image that the container engine has; an image that the
catalogue knows as a program of this machine; an image that the engine can fetch; a refusal that says what to do.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trainyard.model.problems import Problem
from trainyard.model.spec import TrainingJobSpec
from trainyard.runtimes.local.containers import finding
from trainyard.runtimes.local.containers.engine import Engine
from trainyard.runtimes.local.containers.wire import EngineRefused, EngineUnreachable
from trainyard.wiring.catalogue import LOCAL_PYTHON, Catalogue, ImageName, Program

KNOWN_FOR = 2.0  # seconds that an engine's word on an image holds: jobs come in hundreds
_PATH = ("AlgorithmSpecification", "TrainingImage")
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:-]*(@sha256:[0-9a-f]{64})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image of a container engine.

    socket : where the engine listens.
    name   : as the engine knows it; `identity` is what it stands for now, empty where it is still to be fetched.
    digest : what a registry calls this very image; empty where no registry gave it.
    """

    socket: str
    name: str
    identity: str = ""
    digest: str = ""

    @property
    def why(self) -> str:
        """What made it a container."""
        if self.identity:
            return f"the container engine at {self.socket} has it"
        return f"no program of this machine is known for it, so the container engine at {self.socket} fetches it"

    @property
    def label(self) -> str:
        """For people: the name, and what exactly that is."""
        exact = self.digest or self.identity
        return f"{self.name} ({exact})" if exact else f"{self.name}, to be pulled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Launchers:
    """The choice. `launcher` and `pull` are the settings of those names, `socket` the engine's; None for no engine."""

    catalogue: Catalogue
    launcher: str = "auto"
    pull: str = "missing"
    socket: str | None = None
    _known: dict[str, tuple[float, Image | None]] = field(default_factory=dict)

    def resolve(self, spec: TrainingJobSpec) -> Program | Image | tuple[Problem, ...]:
        """A program of this machine, an image for the engine, or the problems that refuse the job."""
        algorithm = spec.algorithm_specification
        image = algorithm.training_image if algorithm else None
        if not image or self.launcher == "process" or self._is_ours(image):
            return self.catalogue.resolve(spec)
        if not _REFERENCE.fullmatch(image):
            return self.catalogue.resolve(spec)
        try:
            present = self._present(image) if self.socket else None
        except (EngineUnreachable, EngineRefused) as error:
            return self._without_engine(spec, f"The container engine at {self.socket} cannot be asked: {error}.")
        if present is not None:
            return Image(socket=present.socket, name=present.name) if self.pull == "always" else present
        return self._fetched(spec, image)

    def _is_ours(self, image: str) -> bool:
        """Whether the image is a word of ours, or trainyard.toml says what it is here."""
        return ImageName.parse(image).repository == LOCAL_PYTHON or self.catalogue.has_alias(image)

    def _fetched(self, spec: TrainingJobSpec, image: str) -> Program | Image | tuple[Problem, ...]:
        program = None if self.launcher == "container" else self.catalogue.resolve(spec)
        if isinstance(program, Program):
            return program
        if self.socket is None:
            return self._without_engine(spec, "No container engine was found here (Docker or Podman).")
        if self.pull == "never":
            text = f"The engine at {self.socket} has no image {image}, and settings keep it from pulling one."
            return (Problem(path=_PATH, message=text, code="no-image"),)
        return Image(socket=self.socket, name=image)

    def _without_engine(self, spec: TrainingJobSpec, reason: str) -> Program | tuple[Problem, ...]:
        program = self.catalogue.resolve(spec)
        if isinstance(program, Program):
            if self.launcher != "container":
                return program
            text = f"{reason} Settings want a container (launcher): start an engine, or change that."
            return (Problem(path=_PATH, message=text, code="no-engine"),)
        return tuple(
            Problem(path=one.path, message=f"{one.message} {reason}", code=one.code, suggestion=one.suggestion)
            for one in program
        )

    def _present(self, image: str) -> Image | None:
        """The engine's image of that name. Asked again only after a moment."""
        known = self._known.get(image)
        moment = time.monotonic()
        if known is None or moment - known[0] > KNOWN_FOR:
            if len(self._known) > 1000:
                self._known.clear()
            known = self._known[image] = (moment, find(Engine(self.socket or ""), image))
        return known[1]


def find(engine: Engine, image: str) -> Image | None:
    """What an engine has under a name. What Podman builds without a registry's name is `localhost/…`."""
    for name in (image, *(() if ImageName.parse(image).registry else (f"localhost/{image}",))):
        told = engine.image(name)
        if told is not None:
            digests = told.get("RepoDigests") or []
            return Image(socket=engine.path, name=name, identity=told["Id"], digest=_digest(digests, name))
    return None


def program_of(image: Image, settings: Mapping[str, Any], network: str) -> dict[str, object]:
    """What the runtime is told of an image.

    pull     : whether it is fetched in any case; otherwise only where the engine lacks it when the job starts.
    may_pull : whether it may be fetched at all.
    """
    pull = settings.get("pull", "missing")
    return {
        "socket": image.socket, "image": image.identity or image.name, "name": image.name,
        "pull": pull == "always", "may_pull": pull != "never",
        "network": network, "ulimits": dict(settings.get("ulimits", {})),
    }  # fmt: skip


def engine_of(settings: Mapping[str, Any], variables: Mapping[str, str]) -> str | None:
    """The socket of the engine that settings and environment lead to."""
    return finding.found(settings.get("socket"), variables)


def _digest(digests: list[str], name: str) -> str:
    repository = name.partition("@")[0].rpartition(":")[0] or name
    own = [one for one in digests if one.startswith(f"{repository}@")]
    return (own or digests or [""])[0]
