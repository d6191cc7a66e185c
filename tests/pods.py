"""A stand-in for the kubelet: a container of a rendered chart, started on this machine as its pod says.

User and group 65532, no privilege and none to be had, a read-only root (this machine's, without what is of its own:
/home, /opt, /run, /tmp), the pod's volumes and nothing else to write to, and no environment but the container's.
TRAINYARD_TEST_IMAGE names a folder with an unpacked image of deploy/Dockerfile, which then is the root instead.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ENTRYPOINT = ["trainyard"]  # the image's
IMAGE = os.environ.get("TRAINYARD_TEST_IMAGE", "")
OURS = "/usr/local/lib/trainyard/bin" if IMAGE else Path(sys.executable).parent
CHECKOUT = Path(__file__).parents[1]
PATH = f"{OURS}:/usr/local/bin:/usr/bin:/bin"
_PRIVATE = 99  # the script's status where this system gives no namespaces
_SCRIPT = r"""
root=$1 image=$2; shift 2
again() {
  mkdir -p "$root$1"
  for one in "$image$1"/*; do
    to=$root${one#"$image"}
    if [ -L "$one" ]; then cp -P "$one" "$to"
    elif [ -d "$one" ]; then mkdir "$to"; mount --rbind "$one" "$to"
    else : > "$to"; mount --bind "$one" "$to"; fi
  done
}
prepare() {
  set -e
  mount -t tmpfs root "$root"
  for one in "$image"/*; do
    name=${one#"$image"}
    case $name in
      /etc) again /etc ;;
      /home|/opt|/run|/tmp|/mnt|/media|/srv) mkdir "$root$name" ;;
      /dev|/proc|/sys) mkdir "$root$name"; mount --rbind "$name" "$root$name" ;;
      *) if [ -L "$one" ]; then cp -P "$one" "$root$name"
         elif [ -d "$one" ]; then
           mkdir "$root$name"; mount --rbind "$one" "$root$name"; mount -o remount,bind,ro "$root$name"
         fi ;;
    esac
  done
  while [ "$1" != -- ]; do
    mkdir -p "$root$2"; mount --bind "$1" "$root$2"
    [ "$3" = rw ] || mount -o remount,bind,ro "$root$2"
    shift 3
  done
  mount -o remount,ro "$root"
  echo 0 > /proc/sys/user/max_user_namespaces
}
prepare "$@" || exit 99
while [ "$1" != -- ]; do shift; done; shift
exec chroot "$root" setpriv --no-new-privs --ambient-caps -all --inh-caps -all --bounding-set -all env -i "$@"
"""


@dataclass
class Pod:
    """A pod's containers over the volumes that they share.

    volumes     : what stands for each volume of the pod: a folder; made where it is not given.
    environment : what the kubelet adds to every container.
    ports       : those of the chart, and the free ones that stand for them here.
    """

    spec: dict[str, Any]
    folder: Path
    volumes: dict[str, Path] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    ports: dict[int, int] = field(default_factory=dict)

    def container(self, name: str) -> dict[str, Any]:
        """One of its containers."""
        every = (*self.spec.get("initContainers", ()), *self.spec["containers"])
        return next(one for one in every if one["name"] == name)

    def run(self, name: str, command: list[str] | None = None) -> subprocess.CompletedProcess[str]:
        """A container that ends, or a command in one, as a probe's."""
        argv = self._argv(self.container(name), command)
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode == _PRIVATE:
            pytest.skip(f"this system gives no namespaces to stand in for a pod: {done.stderr}")
        return done

    def start(self, name: str, log: Path) -> subprocess.Popen[bytes]:
        """A container that goes on."""
        with log.open("wb") as file:
            return subprocess.Popen(self._argv(self.container(name), None), stdout=file, stderr=subprocess.STDOUT)

    def port(self, name: str, port: str | int) -> int:
        """Where a container's port, by name or number, is answered on here."""
        named = {one["name"]: one["containerPort"] for one in self.container(name)["ports"]}
        return self._free(int(named.get(port, port)))

    def _argv(self, container: dict[str, Any], command: list[str] | None) -> list[str]:
        if not (shutil.which("unshare") and shutil.which("setpriv")):
            pytest.skip("util-linux is not here: apt-get install util-linux")
        security = self.spec["securityContext"]
        ids = [f"--map-user={security['runAsUser']}", f"--map-group={security['runAsGroup']}"]
        root = self.folder / f"root-{container['name']}"
        root.mkdir(exist_ok=True)
        mounts = [word for mount in container.get("volumeMounts", ()) for word in self._mount(mount)]
        if not IMAGE:  # the checkout may lie where a pod has something of its own
            mounts += [str(CHECKOUT), str(CHECKOUT), "ro"]
        given = [f"{one['name']}={one['value']}" for one in container.get("env", ())]
        added = [f"{name}={value}" for name, value in {"PATH": PATH, **self.environment}.items()]
        words = command or [*container.get("command", ENTRYPOINT), *container.get("args", ())]
        return [
            "unshare", "--user", *ids, "--keep-caps", "--mount", "sh", "-c", _SCRIPT, "pod", str(root), IMAGE,
            *mounts, "--",
            *added, *given, *(self._here(word) for word in words),
        ]  # fmt: skip

    def _mount(self, mount: dict[str, Any]) -> tuple[str, str, str]:
        name = mount["name"]
        known = {one["name"] for one in self.spec.get("volumes", ())} | self.volumes.keys()
        assert name in known, f"no volume {name}"
        folder = self.volumes.setdefault(name, self.folder / f"volume-{name}")
        folder.mkdir(exist_ok=True)
        place = re.sub("^/var/run/", "/run/", mount["mountPath"])  # a link in every image, and no way out of this one
        return str(folder), place, "ro" if mount.get("readOnly") else "rw"

    def _here(self, word: str) -> str:
        """A word of a command line with this machine's ports for the chart's."""
        return re.sub(r"(?<=0\.0\.0\.0:)\d+", lambda found: str(self._free(int(found[0]))), word)

    def _free(self, port: int) -> int:
        if port not in self.ports:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                self.ports[port] = listener.getsockname()[1]
        return self.ports[port]


def stopped(process: subprocess.Popen[bytes]) -> int:
    """End a container as the kubelet does; its status."""
    process.terminate()
    try:
        return process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
