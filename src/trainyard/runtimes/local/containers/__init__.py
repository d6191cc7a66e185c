"""The container launcher: a container engine (Docker, Podman) starts a job's program and plays the shim's part."""
