"""The seams: Protocols only. Every implementation passes one conformance suite (tests/conformance)."""
