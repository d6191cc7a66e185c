"""From an image name to a program on this machine, where no container engine is asked.

AWS's algorithm images go to our implementation, `local/python` to the caller's own interpreter in script mode, and
aliases from trainyard.toml to commands. Everything else is refused with what to do about it.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path

from trainyard.kit.lately import lately
from trainyard.model.problems import Problem
from trainyard.model.spec import TrainingJobSpec

LOCAL_PYTHON = "local/python"
_IMAGE = ("AlgorithmSpecification", "TrainingImage")
_ALGORITHM = ("AlgorithmSpecification", "AlgorithmName")
_REGISTRY = re.compile(
    r"^[0-9]{12}\.dkr\.ecr(-fips)?\.[a-z0-9-]+\.(amazonaws\.com(\.cn)?|c2s\.ic\.gov|sc2s\.sgov\.gov)/"
)
_XGBOOST = ("xgboost", "sagemaker-xgboost")
_FRAMEWORKS = (
    "pytorch-training", "tensorflow-training", "huggingface-pytorch-training", "huggingface-tensorflow-training",
    "mxnet-training", "autogluon-training", "sagemaker-scikit-learn", "sagemaker-tensorflow-scriptmode",
    "sagemaker-pytorch", "sagemaker-mxnet", "sagemaker-chainer", "sagemaker-rl", "sagemaker-base-python",
)  # fmt: skip
_ALGORITHMS = (
    "linear-learner", "factorization-machines", "kmeans", "pca", "lda", "ntm", "randomcutforest", "knn",
    "blazingtext", "seq2seq", "image-classification", "object-detection", "semantic-segmentation", "object2vec",
    "ipinsights", "forecasting-deepar",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to start in place of an image.

    argv    : the command before `train` or the request's own arguments; absolute.
    env     : variables that the program needs besides those of the job.
    label   : what it is, for people.
    notices : what the user must know, such as a version that differs from the one asked for.
    metrics : (name, regular expression) built into the image, used where the request defines none.
    default_arguments: what follows argv when the request has no ContainerArguments.
    fault_of_exit: exit status → whose fault it is, where the program tells them apart ("2" → "ClientError").
    """

    argv: tuple[str, ...]
    label: str
    env: Mapping[str, str] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    metrics: tuple[tuple[str, str], ...] = ()
    default_arguments: tuple[str, ...] = ("train",)
    fault_of_exit: Mapping[str, str] = field(default_factory=dict)

    def command(self, spec: TrainingJobSpec) -> tuple[str, ...]:
        """The whole argv of a job: ContainerEntrypoint takes the program's place, ContainerArguments those of `train`.

        As with an image: an entrypoint without arguments gets none.
        """
        algorithm = spec.algorithm_specification
        entrypoint = tuple(algorithm.container_entrypoint or ()) if algorithm else ()
        arguments = tuple(algorithm.container_arguments or ()) if algorithm else ()
        return (*entrypoint, *arguments) if entrypoint else (*self.argv, *(arguments or self.default_arguments))


@dataclass(frozen=True, slots=True)
class Alias:
    """An entry of trainyard.toml: the image of this name is this command. `python` runs it in script mode there."""

    command: tuple[str, ...] = ()
    python: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImageName:
    """An image reference in parts."""

    registry: str
    repository: str
    tag: str | None

    @classmethod
    @lru_cache(maxsize=64)
    def parse(cls, image: str) -> ImageName:
        """Split `registry/repository:tag@digest`; a registry has a dot, a colon, or is localhost."""
        name = image.partition("@")[0]
        head, slash, rest = name.partition("/")
        registry = head if slash and ("." in head or ":" in head or head == "localhost") else ""
        repository, _, tag = (rest if registry else name).partition(":")
        return cls(registry, repository, tag or None)


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _version(*distributions: str) -> str:
    from importlib import metadata

    for name in distributions:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return "of unknown version"


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """The images that this machine knows how to be.

    aliases  : exact image or algorithm names → commands; they go before everything built in.
    python   : the interpreter of `local/python`: the caller's own.
    installed: whether a module can be imported by our own interpreter.
    """

    aliases: Mapping[str, Alias] = field(default_factory=dict)
    python: str = sys.executable
    installed: Callable[[str], bool] = _installed

    def resolve(self, spec: TrainingJobSpec) -> Program | tuple[Problem, ...]:
        """The program of a spec, or the problems that refuse it."""
        algorithm = spec.algorithm_specification
        image = algorithm.training_image if algorithm else None
        name = algorithm.algorithm_name if algorithm else None
        asked, path = (image, _IMAGE) if image else (name, _ALGORITHM)
        if not asked:
            return (Problem(path=_IMAGE, message="No image and no algorithm to run is named.", code="required"),)
        parts = ImageName.parse(asked)
        for known in _names(asked, parts) if self.aliases else ():
            if known in self.aliases:
                return self._alias(known, self.aliases[known], path)
        leaf = parts.repository.rpartition("/")[2]
        if parts.repository == LOCAL_PYTHON and not parts.registry:
            return self._script(self.python, f"script in {self.python}", path)
        if leaf in _XGBOOST and (path == _ALGORITHM or not parts.registry or _REGISTRY.match(asked)):
            return self._xgboost(parts, spec.hyper_parameters or {}, path)
        return (_refusal(asked, leaf, path),)

    def has_alias(self, image: str) -> bool:
        """Whether trainyard.toml says what an image is on this machine."""
        return any(name in self.aliases for name in _names(image, ImageName.parse(image))) if self.aliases else False

    def _xgboost(
        self, parts: ImageName, hyperparameters: Mapping[str, str], path: tuple[str, ...]
    ) -> Program | tuple[Problem, ...]:
        from trainyard.algorithms.xgboost.metrics import metric_definitions

        missing = [module for module in ("xgboost", "numpy", "scipy") if not self.installed(module)]
        if missing:
            message = (
                f"The built-in XGBoost needs {', '.join(missing)}, not installed here: pip install 'trainyard[xgboost]'"
            )
            return (Problem(path=path, message=message, code="missing-extra"),)
        version = _version("xgboost-cpu", "xgboost")
        notices: tuple[str, ...] = ()
        if parts.tag and not version.startswith(parts.tag.partition("-")[0] + "."):
            notices = (f"The image asks for XGBoost {parts.tag}; the built-in XGBoost {version} trains.",)
        return Program(
            argv=(sys.executable, "-m", "trainyard.algorithms.xgboost"),
            env=_interpreter_env(sys.executable),
            label=f"built-in XGBoost {version}",
            notices=notices,
            metrics=metric_definitions(hyperparameters),
            fault_of_exit={"2": "ClientError"},
        )

    def _alias(self, name: str, alias: Alias, path: tuple[str, ...]) -> Program | tuple[Problem, ...]:
        if alias.python is not None:
            program = self._script(alias.python, f"{name} as a script in {alias.python}", path)
            if isinstance(program, Program):
                return Program(argv=program.argv, env={**program.env, **alias.env}, label=program.label)
            return program
        if not alias.command:
            message = f"The alias {name} in trainyard.toml names neither a command nor a python."
            return (Problem(path=path, message=message, code="empty-alias"),)
        return Program(argv=alias.command, env=alias.env, label=f"{name} as {alias.command[0]}")

    def _script(self, python: str, label: str, path: tuple[str, ...]) -> Program | tuple[Problem, ...]:
        if not _can_be_run(python):
            message = f"The interpreter {python} is not there or cannot be run."
            return (Problem(path=path, message=message, code="no-interpreter"),)
        return Program(argv=(python, _script_mode()), env=_interpreter_env(python), label=label)


@lately(1.0)
def _can_be_run(program: str) -> bool:
    return os.access(program, os.X_OK)


@cache
def _script_mode() -> str:
    """The file of the script mode: a program of its own, for interpreters that have no Trainyard."""
    found = importlib.util.find_spec("trainyard.algorithms.script_mode")
    return str(Path(str(found.origin if found else "")).resolve())


def _names(asked: str, parts: ImageName) -> Sequence[str]:
    """What an alias may call an image: as it stands, without its digest, without its tag, its repository alone."""
    bare = asked.partition("@")[0]
    untagged = f"{parts.registry}/{parts.repository}" if parts.registry else parts.repository
    tagged = f"{parts.repository}:{parts.tag}" if parts.tag else parts.repository
    return tuple(dict.fromkeys((asked, bare, untagged, tagged, parts.repository)))


def _interpreter_env(python: str) -> dict[str, str]:
    return {"PATH": _path_of(python, os.environ.get("PATH", os.defpath)), "PYTHONUNBUFFERED": "1"}


@lru_cache(maxsize=16)
def _path_of(python: str, rest: str) -> str:
    """The search path with the interpreter's own folder before all others."""
    return os.pathsep.join(dict.fromkeys([str(Path(python).parent), *rest.split(os.pathsep)]))


def _refusal(asked: str, leaf: str, path: tuple[str, ...]) -> Problem:
    alias = f'name a command for it in trainyard.toml under [images."{leaf}"]'
    if leaf in _FRAMEWORKS:
        message = f"{asked} is a framework image, and those are not run here without an alias: {alias}"
        return Problem(path=path, message=f"{message}, or use the image {LOCAL_PYTHON}.", code="framework-image")
    if leaf in _ALGORITHMS:
        message = f"{asked} is an AWS algorithm that has no implementation here (xgboost has): {alias}."
        return Problem(path=path, message=message, code="no-implementation")
    message = f"No program is known for {asked}: {alias}, or use xgboost or {LOCAL_PYTHON}."
    return Problem(path=path, message=message, code="unknown-image")
