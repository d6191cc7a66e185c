"""Runs on this machine: a supervisor per attempt, a shim per host, found again after any crash."""
