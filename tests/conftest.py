"""Fixtures that tests of several kinds share, and what all of them are held to."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.kube_server", "tests.engines"]

# How long an example takes is the machine's affair and no part of what is tested.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")
