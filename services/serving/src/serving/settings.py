"""Serving's settings, from the environment."""

from service_kit.runtime.settings import ServiceSettings


class Settings(ServiceSettings):
    """The settings of every service; serving has none of its own."""
