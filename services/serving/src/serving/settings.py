"""Serving's settings, from the environment."""

from datetime import timedelta

from pydantic import Field
from service_kit.runtime.settings import AccessSettings, ServiceSettings

from serving.domain.ticket import RECALL_GRACE


class Settings(ServiceSettings, AccessSettings):
    """The settings of every service that serves, and what the kitchen may take back."""

    recall_grace_seconds: float = Field(
        default=RECALL_GRACE.total_seconds(),
        ge=0,
        description="seconds after it was served in which a round may be recalled; as ordering's",
    )

    @property
    def recall_grace(self) -> timedelta:
        """How long after it was served a round may be recalled."""
        return timedelta(seconds=self.recall_grace_seconds)
