"""`audit`."""

import json
from functools import partial
from typing import Annotated, Any

import typer
from rich.status import Status

from query.cli.command import YesReally, notes, out, run
from query.maintenance.audit import AuditProgress, audit_and_repair
from query.maintenance.audit import audit as find_differences
from query.maintenance.inspection import Difference
from query.maintenance.session import OperatorSession

FIELDS_SHOWN = 8
"""Of one document."""


def audit(
    *,
    repair: Annotated[
        bool, typer.Option("--repair", help="Repair the documents that differ, and no others.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object for each.")] = False,
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds that projectors may stand still while we wait.")
    ] = 10.0,
    values: Annotated[
        bool,
        typer.Option(
            "--values/--without-values", help="Say what differs, guests' names too, or where alone."
        ),
    ] = True,
    yes_really: YesReally = 0,
) -> None:
    """Compare the views with all that ordering and serving published, document by document.

    Ends with 1 if a document differs that is not repaired. It reads the streams and the views'
    store. The tables of ordering and what is shown over HTTP are compared by `comanda audit`.
    Documents that are on no stream, or other than the streams say, are not deleted or replaced if
    the streams are not known to be whole.
    """
    tell = partial(_print, as_json=as_json, values=values)

    async def command(session: OperatorSession) -> bool:
        progress = AuditProgress()
        with notes.status("auditing …") as status:
            show = partial(_show_progress, status)
            if repair:
                repairing = audit_and_repair(
                    session, progress, show, stall_timeout_s=patience, yes_really=yes_really
                )
                async for difference, is_repaired in repairing:
                    tell(difference, is_repaired=is_repaired)
            else:
                found = find_differences(session, progress, show, stall_timeout_s=patience)
                async for difference in found:
                    tell(difference, is_repaired=False)
        _sum_up(progress)
        return progress.repaired == progress.differences

    run(command)


def _show_progress(status: Status, progress: AuditProgress) -> None:
    status.update(f"{progress.events:,} events read, {progress.documents:,} documents compared …")


def _print(difference: Difference, *, is_repaired: bool, as_json: bool, values: bool) -> None:
    if as_json:
        told = _as_json(difference, is_repaired=is_repaired, values=values)
        print(json.dumps(told, default=str), flush=True)
        return
    after = ", repaired" if is_repaired else ""
    out.print(f"{difference.kind.name}/{difference.key}: {difference.defect}{after}", markup=False)
    for path, written, stored in difference.fields[:FIELDS_SHOWN]:
        what = f": published {written!r}, stored {stored!r}" if values else ""
        out.print(f"    {path}{what}", markup=False)
    if len(difference.fields) > FIELDS_SHOWN:
        out.print(f"    and {len(difference.fields) - FIELDS_SHOWN} fields more")


def _as_json(difference: Difference, *, is_repaired: bool, values: bool) -> dict[str, Any]:
    return {
        "collection": difference.kind.name,
        "id": difference.key,
        "what": difference.defect,
        "mended": is_repaired,
        "fields": [
            {"path": path} | ({"published": written, "stored": stored} if values else {})
            for path, written, stored in difference.fields
        ],
    }


def _sum_up(progress: AuditProgress) -> None:
    notes.print(
        f"{progress.events:,} events and {progress.documents:,} documents compared, "
        f"{progress.differences:,} differences, {progress.repaired:,} repaired."
    )
