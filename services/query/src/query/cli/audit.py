"""`audit`."""

import json
from typing import Annotated, Any

import typer
from rich.status import Status

from query.cli.working import notes, out, work
from query.maintenance.audit import Tally
from query.maintenance.audit import audit as find
from query.maintenance.repair import Difference, mend
from query.maintenance.session import Site

FIELDS = 8
"""Fields of one document that are shown in the table."""


def audit(
    *,
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend the documents that differ, and no others.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object for each.")] = False,
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds that projectors may stand still while we wait.")
    ] = 10.0,
) -> None:
    """Compare the views with all that ordering and serving published, document by document.

    Ends with 1 if a document differs that is not mended. It reads the streams and the store of the
    views; what the tables of ordering say, and what is shown over HTTP, `comanda audit` compares.
    """

    async def run(site: Site) -> bool:
        tally, left = Tally(), 0
        with notes.status("auditing …") as status:
            found = find(site, tally, lambda sofar: _tell(status, sofar), patience=patience)
            async for difference in found:
                mended = repair and await _mended(site, difference)
                left += not mended
                _print(difference, mended=mended, as_json=as_json)
        _sum_up(tally, tally.differences - left)
        return not left

    work(run)


async def _mended(site: Site, difference: Difference) -> bool:
    return await mend(site, site.generations.live, difference.kind, difference.key)


def _tell(status: Status, tally: Tally) -> None:
    status.update(f"{tally.events:,} events read, {tally.documents:,} documents compared …")


def _print(difference: Difference, *, mended: bool, as_json: bool) -> None:
    if as_json:
        print(json.dumps(_as_json(difference, mended=mended), default=str), flush=True)
        return
    after = ", mended" if mended else ""
    out.print(f"{difference.kind.name}/{difference.key}: {difference.what}{after}", markup=False)
    for path, written, stored in difference.fields[:FIELDS]:
        out.print(f"    {path}: published {written!r}, stored {stored!r}", markup=False)
    if len(difference.fields) > FIELDS:
        out.print(f"    and {len(difference.fields) - FIELDS} fields more")


def _as_json(difference: Difference, *, mended: bool) -> dict[str, Any]:
    return {
        "collection": difference.kind.name,
        "id": difference.key,
        "what": difference.what,
        "mended": mended,
        "fields": [
            {"path": path, "published": written, "stored": stored}
            for path, written, stored in difference.fields
        ],
    }


def _sum_up(tally: Tally, mended: int) -> None:
    notes.print(
        f"{tally.events:,} events and {tally.documents:,} documents compared, "
        f"{tally.differences:,} differences, {mended:,} mended."
    )
