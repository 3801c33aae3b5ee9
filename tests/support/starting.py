"""Whether the test that runs may start programs: `make test-fast` has none that does."""

is_allowed = True
"""False while a test runs that has no mark for it."""


def must_be_allowed(program: object) -> None:
    """Fail a test that has no mark.

    Whoever keeps what a program has said for the tests to come asks here for each of them: which
    of them is the first, and starts it, is chance.
    """
    if not is_allowed:
        import pytest  # of tests alone: programs of ours come by here, too

        pytest.fail(f"{program} is started: mark the test with `programs`")
