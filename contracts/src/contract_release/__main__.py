"""`python -m contract_release generate`, `check` or `publish`.

`generate` writes the JSON Schemas and the AsyncAPI document. `check` fails if one of them is stale,
or if anything would break a reader of the last release. `publish` writes the current version down
as a release, against which all later changes are checked.
"""

import sys

from contract_release.contract import Json, current
from contract_release.gate import breaking_changes
from contract_release.generated import stale, write
from contract_release.releases import contract_of, publish, releases


def check(contract: Json) -> list[str]:
    """What is wrong, for a person."""
    last = releases()[-1]
    broken = [str(each) for each in breaking_changes(contract_of(last), contract)]
    return [f"{path.name} is stale: run `make schemas`" for path in stale(contract)] + broken


def main(command: str) -> int:
    """Run one command. Returns its exit code."""
    contract = current()
    match command:
        case "generate":
            write(contract)
        case "check":
            problems = check(contract)
            print("\n".join(problems) or "the contract is compatible with the last release")
            return 1 if problems else 0
        case "publish":
            print(f"published as {publish(contract)}")
        case _:
            print(__doc__)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main("".join(sys.argv[1:])))
