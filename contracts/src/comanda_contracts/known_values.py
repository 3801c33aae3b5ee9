"""Values that a later version may add to: a reader takes one that it does not know as text."""

# decision/0059: enumerations of events are open

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema


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
    ) -> CoreSchema:
        known = handler.generate_schema(self.enumeration)
        return core_schema.union_schema([known, core_schema.str_schema()], mode="left_to_right")

    def __get_pydantic_json_schema__(
        self,
        schema: CoreSchema,
        handler: GetJsonSchemaHandler,
    ) -> dict[str, Any]:
        return {"type": "string", "examples": [each.value for each in self.enumeration]}
