"""Every version ever published, as `published/<version>/`: the contract, and messages of it."""

import json
from pathlib import Path

from comanda_contracts import Message, seal
from comanda_contracts.examples import EXAMPLES

from contract_release.asyncapi import EXAMPLE_ID
from contract_release.contract import Json
from contract_release.generated import FOLDER, as_json

PUBLISHED = FOLDER / "published"


def releases() -> list[Path]:
    """The folders of all releases, the oldest first."""
    return sorted(PUBLISHED.iterdir(), key=lambda each: [int(n) for n in each.name.split(".")])


def contract_of(release: Path) -> Json:
    """The contract as it was published."""
    contract: Json = json.loads((release / "contract.json").read_text())
    return contract


def messages_of(release: Path) -> list[Message]:
    """One message of every event, as that release published it."""
    kept = [json.loads(path.read_text()) for path in sorted((release / "messages").iterdir())]
    return [Message(each["subject"], each["headers"], each["body"].encode()) for each in kept]


def publish(contract: Json) -> Path:
    """Write the current version down. Raises FileExistsError if it was published before."""
    folder = PUBLISHED / str(contract["version"])
    (folder / "messages").mkdir(parents=True)
    (folder / "contract.json").write_text(as_json(contract))
    for event in EXAMPLES:
        message = seal(event, event_id=EXAMPLE_ID)
        kept = {
            "subject": message.subject,
            "headers": dict(message.headers),
            "body": message.body.decode(),
        }
        (folder / "messages" / f"{event.TYPE}.json").write_text(as_json(kept))
    return folder
