"""`python -m tests.mutants`: whether a pure test notices when what is pure is changed.

mutmut makes the changes, one after the other, and runs the tests of each; pyproject.toml says what
is changed and which tests are run. What mutmut can't change by itself, properties and functions
with a cache, it is given as plain functions.
"""

import os
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import libcst as cst
from mutmut.configuration import config
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import walk_mutatable_files
from mutmut.utils.format_utils import orig_function_and_class_names_from_key

REPOSITORY = Path(__file__).parents[2]
WORKPLACE = REPOSITORY / ".mutants"
KILLED_SHARE_MIN = 0.95
"""Of the changes that change anything, those that a test has to notice."""


@dataclass(frozen=True)
class Mutant:
    """A change of one function."""

    name: str
    function: str
    diff: str
    """The lines that went and those that came, without context."""
    status: str
    """As mutmut has it."""

    @property
    def after(self) -> str:
        """The lines that came; if none did, the diff."""
        came = [line[1:] for line in self.diff.splitlines() if line.startswith("+")]
        return "\n".join(came) or self.diff

    @property
    def is_killed(self) -> bool:
        """Whether a test noticed, be it that it did not end."""
        return self.status in ("killed", "timeout")


class _PlainFunctions(cst.CSTTransformer):
    """Makes each property of a plain method, and leaves caches out."""

    def leave_FunctionDef(  # noqa: N802 - libcst's name
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.FunctionDef | cst.FlattenSentinel[cst.BaseStatement]:
        name = updated_node.name.value
        match [cst.Module([]).code_for_node(each.decorator) for each in updated_node.decorators]:
            case ["property"]:
                plain = updated_node.with_changes(decorators=[], name=cst.Name(f"get_{name}"))
                return cst.FlattenSentinel(
                    [plain, cst.parse_statement(f"{name} = property(get_{name})\n")]
                )
            case [decorator] if decorator.startswith("lru_cache("):
                return updated_node.with_changes(decorators=[])
        return updated_node


def main(names: list[str]) -> int:
    """Try all mutants, or again those that have these names, and print what came out."""
    if not names:
        shutil.rmtree(WORKPLACE, ignore_errors=True)
    _copy()
    run = [sys.executable, "-m", "mutmut", "run", "--max-children", "2", *names]
    subprocess.run(run, cwd=WORKPLACE, check=True)
    os.chdir(WORKPLACE)  # where mutmut finds its results
    return report(list(_mutants()))


def report(mutants: list[Mutant]) -> int:
    """Print the mutants that live though they matter, and the figures; 1 if too many do."""
    listed = tomllib.loads((Path(__file__).parent / "equivalent.toml").read_text())
    equivalent = {
        (function, after)
        for function, group in listed.items()
        for each in group
        for after in each["to"]
    }
    living = {(each.function, each.after): each for each in mutants if not each.is_killed}
    for key in living.keys() - equivalent:
        print(f"\n{living[key].name}: {living[key].status}\n{living[key].diff}")
    for function, after in sorted(equivalent - living.keys()):
        print(f"\nno mutant that lives, though equivalent.toml has it: {function}\n{after}")
    killed = sum(each.is_killed for each in mutants)
    ignored = len(living.keys() & equivalent)
    share = killed / (len(mutants) - ignored)
    statuses = Counter(each.status for each in mutants)
    print(f"\n{len(mutants)} mutants: {', '.join(f'{n} {name}' for name, n in statuses.items())}")
    print(f"{killed} of {len(mutants) - ignored} killed, {share:.1%}; {ignored} are equivalent")
    return 0 if share >= KILLED_SHARE_MIN else 1


def _copy() -> None:
    """Services and kit in one source folder, the layout that mutmut knows, and the tests."""
    for source in (REPOSITORY / "shared/src", *REPOSITORY.glob("services/*/src")):
        shutil.copytree(source, WORKPLACE / "src", dirs_exist_ok=True)
    shutil.copytree(REPOSITORY / "tests", WORKPLACE / "tests", dirs_exist_ok=True)
    shutil.copy(REPOSITORY / "pyproject.toml", WORKPLACE)
    for path in WORKPLACE.glob("src/**/*.py"):
        if config().should_mutate(path.relative_to(WORKPLACE)):
            plain = cst.parse_module(path.read_text()).visit(_PlainFunctions())
            path.write_text(plain.code)


def _mutants() -> Iterator[Mutant]:
    for path in walk_mutatable_files():
        data = SourceFileMutationData(path=path)
        data.load()
        for name, exit_code in data.exit_code_by_key.items():
            diff = "\n".join(
                line[0] + line[1:].strip()
                for line in get_diff_for_mutant(name, path=path).splitlines()
                if line[:1] in ("-", "+") and line[:3] not in ("---", "+++")
            )
            called, of_class = orig_function_and_class_names_from_key(name)
            module = name.rpartition(".")[0]
            function = ".".join(filter(None, (module, of_class, called)))
            yield Mutant(name, function, diff, status_by_exit_code[exit_code])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
