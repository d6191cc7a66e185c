"""What the SageMaker SDK takes for granted where a script says nothing, so that it asks nobody but our server.

Left to itself the SDK asks STS for the name of its bucket, at an address of Amazon's own that no variable changes, and
reports each call to a bucket of Amazon's. A file of defaults settles both; the user's own configuration goes before it.
"""

from __future__ import annotations

import json
from pathlib import Path

from trainyard.kit import atomic
from trainyard.wiring.home import Home

VARIABLE = "SAGEMAKER_ADMIN_CONFIG_OVERRIDE"


def write(home: Home, *, account: str, region: str) -> Path:
    """The file of defaults for one account and region, written where it is not there."""
    path = home.path / f"sdk-{account}-{region}.yaml"
    defaults = {
        "SchemaVersion": "1.0",
        "SageMaker": {
            "PythonSDK": {
                "Modules": {
                    "TelemetryOptOut": True,
                    "Session": {"DefaultS3Bucket": f"sagemaker-{region}-{account}"},
                }
            }
        },
    }
    content = json.dumps(defaults, indent=2).encode()  # YAML holds JSON
    if not path.exists() or path.read_bytes() != content:
        atomic.write_bytes(path, content, mode=0o600)
    return path
