"""Serving's settings, from the environment."""

from service_kit.runtime.settings import AccessSettings, ServiceSettings


class Settings(ServiceSettings, AccessSettings):
    """The settings of every service that serves; serving has none of its own."""
