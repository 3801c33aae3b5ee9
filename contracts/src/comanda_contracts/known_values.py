"""Values that a later version may add to: a reader takes one that it does not know as text."""

# decision/0059: enumerations of events are open

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler


@dataclass(frozen=True, slots=True)
class KnownValues:
    """Annotates a text of an event whose known values are an enumeration's.

    A known value becomes a member, and any other text stays as it is.
    """

    enumeration: type[StrEnum]

    def __get_pydantic_core_schema__(
        self,
        source: Any,
        handler: GetCoreSchemaHandler,
    ) -> Any:
        known_first = Field(union_mode="left_to_right")
        return handler.generate_schema(Annotated[self.enumeration | str, known_first])

    def __get_pydantic_json_schema__(
        self,
        schema: Any,
        handler: GetJsonSchemaHandler,
    ) -> dict[str, Any]:
        return {"type": "string", "examples": [each.value for each in self.enumeration]}
