"""/opt/ml where a system gives no private mounts, as in a pod: links to the one job's folders. Standard library."""

from __future__ import annotations

import os

NOTICE = "This system gives no private mounts: /opt/ml is a link to the job's folder, and one job runs at a time."


def link(folder: os.PathLike[str], opt: str) -> None:
    """Make every entry of `folder` (ml and what is beside it) appear in `opt`, in place of the last job's.

    Raises OSError where `opt` cannot be written, or something of somebody else's stands in the way.
    """
    for name in os.listdir(folder):
        place, new = os.path.join(opt, name), os.path.join(opt, f".{name}.{os.getpid()}")
        if os.path.lexists(place) and not os.path.islink(place):
            raise FileExistsError(None, "stands in the way of the link that [process] opt_ml asks for", place)
        os.symlink(os.path.join(folder, name), new)
        os.replace(new, place)
