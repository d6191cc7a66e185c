"""Manifests and custom resources: YAML and JSON to the model and back, with file positions."""
