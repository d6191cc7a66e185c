"""Fixtures that tests of several kinds share, and what all of them are held to."""

from hypothesis import settings

pytest_plugins = ["tests.kube_server"]

settings.register_profile("untimed", deadline=None)  # a machine under load is no fault of an example
settings.load_profile("untimed")
