"""Ends transactions whose process died between two statements.

MongoDB itself keeps them for up to a minute and a half, and lets nobody else write to what they
wrote: a replica that is killed while two generations are written would hold up all others so long.
"""

import asyncio

from service_kit.runtime.components import Ready

from query.storage.client import APPLICATION, Client, store_call

POLL_INTERVAL_S = 2.0
"""Between two searches for them."""
IDLE_TIMEOUT_S = 5.0
"""Without a statement, after which a transaction counts as orphaned. A process that was only held
up for so long is told by the server that its transaction has ended, and does it again."""


async def keep_ending_orphaned_transactions(client: Client, ready: Ready) -> None:
    """End orphaned transactions for as long as the server answers; else raise."""
    while True:
        await end_orphaned_transactions(client, idle_s=IDLE_TIMEOUT_S)
        ready()
        await asyncio.sleep(POLL_INTERVAL_S)


async def end_orphaned_transactions(client: Client, *, idle_s: float) -> int:
    """End this user's transactions that have been idle for `idle_s`; returns how many there were.

    It takes no right that a user who writes does not have. Raises StoreUnavailable.
    """
    is_idle = {
        "type": "idleSession",
        "appName": APPLICATION,
        "transaction.timeInactiveMicros": {"$gte": int(idle_s * 1_000_000)},
    }
    ours = {"$currentOp": {"allUsers": False, "idleSessions": True}}
    async with store_call():
        found = await (await client.admin.aggregate([ours, {"$match": is_idle}])).to_list()
        if found:
            sessions = [{"id": each["lsid"]["id"]} for each in found]
            await client.admin.command("killSessions", sessions)
    return len(found)
