"""Trainyard: one TrainingJob, run anywhere.

``trainyard.Client`` is the whole public surface for Python; everything else is the house behind it
(docs/explanation/design.md draws it). The import is lazy because helper processes import this package too
and must start in milliseconds.
"""

from __future__ import annotations

from typing import Any

__all__ = ["Client", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "Client":
        from trainyard.client import Client  # noqa: PLC0415 - lazy on purpose, see above

        return Client
    raise AttributeError(f"module 'trainyard' has no attribute {name!r}")
