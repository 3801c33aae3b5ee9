"""`audit`."""

import json
from functools import partial
from typing import Annotated, Any

import typer
from rich.status import Status

from query.cli.command import YesReally, notes, out, run
from query.maintenance.audit import AuditProgress
from query.maintenance.audit import audit as find_differences
from query.maintenance.evidence import doubts, require_consent
from query.maintenance.inspection import DESTRUCTIVE_DEFECTS, Difference
from query.maintenance.repair import repair as repair_document
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
    yes_really: YesReally = 0,
) -> None:
    """Compare the views with all that ordering and serving published, document by document.

    Ends with 1 if a document differs that is not repaired. It reads the streams and the views'
    store. The tables of ordering and what is shown over HTTP are compared by `comanda audit`.
    Documents that are on no stream, or other than the streams say, are not deleted or replaced if
    the streams are not known to be whole.
    """

    async def command(session: OperatorSession) -> bool:
        progress, repaired = AuditProgress(), 0
        reasons = await doubts(session) if repair else []
        held_back: list[Difference] = []
        with notes.status("auditing …") as status:
            differences = find_differences(
                session, progress, partial(_show_progress, status), stall_timeout_s=patience
            )
            async for difference in differences:
                is_held_back = bool(reasons) and difference.defect in DESTRUCTIVE_DEFECTS
                if repair and is_held_back:
                    held_back.append(difference)
                is_repaired = repair and not is_held_back and await _repaired(session, difference)
                repaired += is_repaired
                _print(difference, is_repaired=is_repaired, as_json=as_json)
        require_consent(reasons, len(held_back), yes_really, "deleted or replaced")
        for difference in held_back:
            is_repaired = await _repaired(session, difference)
            repaired += is_repaired
            _print(difference, is_repaired=is_repaired, as_json=as_json)
        _sum_up(progress, repaired)
        return repaired == progress.differences

    run(command)


async def _repaired(session: OperatorSession, difference: Difference) -> bool:
    live = session.generations.live
    return await repair_document(session, live, difference.kind, difference.key)


def _show_progress(status: Status, progress: AuditProgress) -> None:
    status.update(f"{progress.events:,} events read, {progress.documents:,} documents compared …")


def _print(difference: Difference, *, is_repaired: bool, as_json: bool) -> None:
    if as_json:
        print(json.dumps(_as_json(difference, is_repaired=is_repaired), default=str), flush=True)
        return
    after = ", repaired" if is_repaired else ""
    out.print(f"{difference.kind.name}/{difference.key}: {difference.defect}{after}", markup=False)
    for path, written, stored in difference.fields[:FIELDS_SHOWN]:
        out.print(f"    {path}: published {written!r}, stored {stored!r}", markup=False)
    if len(difference.fields) > FIELDS_SHOWN:
        out.print(f"    and {len(difference.fields) - FIELDS_SHOWN} fields more")


def _as_json(difference: Difference, *, is_repaired: bool) -> dict[str, Any]:
    return {
        "collection": difference.kind.name,
        "id": difference.key,
        "what": difference.defect,
        "mended": is_repaired,
        "fields": [
            {"path": path, "published": written, "stored": stored}
            for path, written, stored in difference.fields
        ],
    }


def _sum_up(progress: AuditProgress, repaired: int) -> None:
    notes.print(
        f"{progress.events:,} events and {progress.documents:,} documents compared, "
        f"{progress.differences:,} differences, {repaired:,} repaired."
    )
