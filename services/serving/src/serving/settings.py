"""Serving's settings, from the environment."""

from service_kit.runtime.settings import ServiceSettings


class Settings(ServiceSettings):
    """What serving needs to run: nothing but what every service needs."""
