"""A place that gives a program no namespaces, as a pod does: an ordinary user, no capability, and none to be had."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.acceptance.jobs import stored

NOBODY = "65534"
# The outer shell may still do what the kubelet does for a pod: a volume at /opt. What it then starts may do nothing.
POD = """
mount -t tmpfs opt /opt && echo 0 > /proc/sys/user/max_user_namespaces || exit 99
exec setpriv --no-new-privs --ambient-caps -all --inh-caps -all --bounding-set -all "$@"
"""
SETTINGS = """
[process]
opt_ml = "link"
[images.shell]
command = ["/bin/sh"]
"""
MANIFEST = """
apiVersion: sagemaker.services.k8s.aws/v1alpha1
kind: TrainingJob
metadata: {{name: {name}}}
spec:
  trainingJobName: {name}
  roleARN: arn:aws:iam::123456789012:role/trainer
  enableNetworkIsolation: {isolated}
  algorithmSpecification:
    trainingImage: shell
    trainingInputMode: File
    containerArguments: ["-c", "test -L /opt/ml && cat /opt/ml/input/config/resourceconfig.json > /opt/ml/model/seen"]
  outputDataConfig: {{s3OutputPath: "s3://bucket/out"}}
  resourceConfig: {{instanceType: ml.m5.large, instanceCount: 1, volumeSizeInGB: 1}}
  stoppingCondition: {{maxRuntimeInSeconds: 60}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "trainyard.toml").write_text(SETTINGS)
    return tmp_path


def in_pod(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    if not (shutil.which("unshare") and shutil.which("setpriv")):
        pytest.skip("util-linux is not here: apt-get install util-linux")
    namespaces = ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--keep-caps", "--mount"]
    command = [str(Path(sys.executable).with_name("trainyard")), "--home", str(folder / "home"), *arguments]
    done = subprocess.run(
        [*namespaces, "sh", "-c", POD, "pod", *command],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode == 99:
        pytest.skip(f"this system gives no user namespace to stand in for a pod: {done.stderr}")
    return done


def manifest(folder: Path, name: str, *, isolated: bool = False) -> str:
    (folder / f"{name}.yaml").write_text(MANIFEST.format(name=name, isolated=str(isolated).lower()))
    return f"{name}.yaml"


def test_a_job_finds_its_opt_ml_by_a_link_and_takes_the_place_alone(folder: Path) -> None:
    for name in ("one", "two"):
        ran = in_pod(folder, "run", manifest(folder, name))
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "/opt/ml is a link" in ran.stderr
        assert stored(folder / "home", f"s3://bucket/out/{name}/output/model.tar.gz")


def test_isolation_that_cannot_be_kept_is_refused(folder: Path) -> None:
    ran = in_pod(folder, "run", manifest(folder, "one", isolated=True))
    assert ran.returncode == 1
    assert "cannot be kept apart on this machine" in ran.stdout + ran.stderr


def test_what_stands_in_the_links_way_is_named_and_left(tmp_path: Path) -> None:
    from trainyard.runtimes.local import linking

    job, opt = tmp_path / "job", tmp_path / "opt"
    (job / "ml").mkdir(parents=True)
    (opt / "ml").mkdir(parents=True)
    (opt / "ml" / "theirs").touch()
    with pytest.raises(FileExistsError, match="stands in the way"):
        linking.link(job, str(opt))
    assert (opt / "ml" / "theirs").exists()
