"""Which folders of a job go to an object store while it runs, and where each one is kept there.

The service's layout: checkpoints are at CheckpointConfig.S3Uri itself, what debugger, profiler and TensorBoard write is
below the job's name. A checkpoint URI is a folder's, with or without its last slash (the service takes it for a plain
prefix, so that `s3://b/ckpt` brings back what lies at `s3://b/ckpt-2/` as well).
"""

from __future__ import annotations

from dataclasses import dataclass

from trainyard.model.spec import TrainingJobSpec

CHECKPOINTS, TENSORS = "/opt/ml/checkpoints/", "/opt/ml/output/tensors"
PROFILER, TENSORBOARD = "/opt/ml/output/profiler/", "/opt/ml/output/tensorboard/"
_INPUTS = "input"


@dataclass(frozen=True, slots=True)
class Synced:
    """A folder below /opt/ml and the URI that its files are kept under.

    is_checkpoints: brought back when an attempt starts; what the program deletes is deleted there as well.
    """

    folder: str
    uri: str
    is_checkpoints: bool = False


def synced(spec: TrainingJobSpec) -> tuple[Synced, ...]:
    """All such folders of a job that can run here, checkpoints first."""
    found = []
    checkpoints, tensors, board = spec.checkpoint_config, spec.debug_hook_config, spec.tensor_board_output_config
    if checkpoints is not None:
        folder = below_ml(checkpoints.local_path or CHECKPOINTS)
        found.append(Synced(folder, checkpoints.s3_uri.rstrip("/"), is_checkpoints=True))
    if tensors is not None:
        found.append(Synced(below_ml(tensors.local_path or TENSORS), tensors_uri(spec)))
    if profiles(spec):
        found.append(Synced(below_ml(PROFILER), profiler_uri(spec)))
    if board is not None:
        found.append(Synced(below_ml(board.local_path or TENSORBOARD), tensorboard_uri(spec)))
    return tuple(found)


def written(spec: TrainingJobSpec) -> tuple[tuple[tuple[str, str], str], ...]:
    """Every URI that a job writes below, with the member that says so."""
    places = [(("OutputDataConfig", "S3OutputPath"), spec.output_data_config.s3_output_path)]
    if spec.checkpoint_config is not None:
        places.append((("CheckpointConfig", "S3Uri"), spec.checkpoint_config.s3_uri))
    for name, config in (
        ("DebugHookConfig", spec.debug_hook_config),
        ("ProfilerConfig", spec.profiler_config),
        ("TensorBoardOutputConfig", spec.tensor_board_output_config),
    ):
        if config is not None and config.s3_output_path is not None:
            places.append(((name, "S3OutputPath"), config.s3_output_path))
    return tuple(places)


def tensors_uri(spec: TrainingJobSpec) -> str:
    """Where the debugger's hook keeps tensors; "" for a job without one."""
    hook = spec.debug_hook_config
    return "" if hook is None else _below_job(spec, hook.s3_output_path, "debug-output")


def profiler_uri(spec: TrainingJobSpec) -> str:
    """Where the profiler's files are kept; "" where it says no place."""
    profiler = spec.profiler_config
    path = None if profiler is None else profiler.s3_output_path
    return "" if path is None else _below_job(spec, path, "profiler-output")


def tensorboard_uri(spec: TrainingJobSpec) -> str:
    """Where TensorBoard's files are kept; "" for a job without any."""
    board = spec.tensor_board_output_config
    return "" if board is None else _below_job(spec, board.s3_output_path, "tensorboard-output")


def profiles(spec: TrainingJobSpec) -> bool:
    """Whether what a profiler writes is to be kept."""
    profiler = spec.profiler_config
    return profiler is not None and not profiler.disable_profiler and profiler.s3_output_path is not None


def below_ml(path: str) -> str:
    """The way from /opt/ml to a folder. Raises ValueError for one that lies elsewhere, or among the inputs."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not path.startswith("/") or ".." in parts or parts[:2] != ["opt", "ml"] or len(parts) < 3:
        raise ValueError(f"{path} is no folder below /opt/ml")
    if parts[2] == _INPUTS:
        raise ValueError(f"{path} lies among the inputs")
    return "/".join(parts[2:])


def is_kept(path: str) -> bool:
    """Whether a file of checkpoints is uploaded: the service leaves names of its markers out, and what asks for it."""
    *folders, name = path.split("/")
    return not (
        name.endswith((".sagemaker-ignore", ".sagemaker-uploading", ".sagemaker-uploaded"))
        or any(folder.endswith(".sagemaker-ignore") for folder in folders)
    )


def _below_job(spec: TrainingJobSpec, path: str, name: str) -> str:
    return f"{path.rstrip('/')}/{spec.training_job_name}/{name}"
