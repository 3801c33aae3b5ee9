"""Options that several commands take: where a system is."""

from pathlib import Path
from typing import Annotated

import typer

from comanda_local.stack import DATABASE_URL, MONGODB_URL, NATS_URL

Data = Annotated[Path, typer.Option("--data", envvar="COMANDA_DATA", help="Folder of the data.")]
DEFAULT_DATA = Path(".data")

OrderingUrl = Annotated[str | None, typer.Option("--ordering", envvar="COMANDA_ORDERING_URL")]
ServingUrl = Annotated[str | None, typer.Option("--serving", envvar="COMANDA_SERVING_URL")]
QueryUrl = Annotated[str | None, typer.Option("--query", envvar="COMANDA_QUERY_URL")]
NatsUrl = Annotated[str | None, typer.Option("--nats", envvar=NATS_URL)]
MongoUrl = Annotated[str | None, typer.Option("--mongodb", envvar=MONGODB_URL)]
DatabaseUrl = Annotated[str | None, typer.Option("--database", envvar=DATABASE_URL)]
