"""The services hold to their own OpenAPI, whatever they are asked."""

import asyncio
import os
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
import requests
import schemathesis
from comanda_local.services import Service
from comanda_local.stack import Stack
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import CheckContext, not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.apis.venue import Names, open_venue, put_letter
from tests.support.tokens import bearer

pytestmark = [
    pytest.mark.xdist_group("stack"),
    pytest.mark.timeout(900),  # each sends thousands of requests
]

Operation = APIOperation[Any, Any, Any, Any]
Request = Case[Any]

BEHIND = 503


def no_server_error(context: CheckContext, response: Response, case: Request) -> bool | None:
    """A view that is behind what was asked for is no error of the server."""
    if response.status_code == BEHIND and response.json().get("code") == "behind":
        return None
    return not_a_server_error(context, response, case)


CHECKS = [
    no_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
ENDLESS = {
    f"GET /v1/restaurants/{{restaurant}}/{feed}/live"
    for feed in (
        "queue",
        "board",
        "menu",
        "orders",
        "orders/{order_id}",
        "orders/{order_id}/wait",
        "tables",
    )
}
"""Answers that do not end by themselves: they have tests of their own."""

CHANGES_ALL_VIEWS = {"POST /v1/operate/jobs"}
"""What would disturb every other test of this system; it has tests of its own, too."""

ABOUT_WHAT_IS_BROKEN = {"GET /v1/operate/parked-events/{event}", "GET /v1/operate/jobs/{job}"}
"""Questions for something that is not there while nobody has anything to do."""

EXAMPLES_OF_EACH = int(os.environ.get("COMANDA_API_EXAMPLES", "10"))
"""Valid and invalid requests of each operation, the same at every run: more look further."""
EXAMPLES = settings(
    max_examples=EXAMPLES_OF_EACH,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
FEWER_EXAMPLES = settings(EXAMPLES, max_examples=max(EXAMPLES_OF_EACH // 2, 1))
"""Each is sent for every one of the orders that exist."""


@pytest.mark.parametrize("service", ["ordering", "serving", "query"])
def test_every_answer_is_one_that_is_documented(
    services: Mapping[str, Service], stack: Stack, service: str, subtests: pytest.Subtests
) -> None:
    url, headers = services[service].url, bearer(issuer=stack.issuer)
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    schema.config.generation.with_security_parameters = False  # the token is good, if one is sent
    letter = asyncio.run(put_letter(stack, service))
    unchanged = [each | {"letter": letter} for each in open_venue(services, headers)]
    with requests.Session() as session:
        for found in schema.get_all_operations():
            assert isinstance(found, Ok), found
            operation: Operation = found.ok()
            if operation.label not in ENDLESS | CHANGES_ALL_VIEWS:
                with subtests.test(operation.label):
                    is_read = operation.method.upper() == "GET"
                    venue = unchanged if is_read else open_venue(services, headers)

                    answered = _ask(operation, venue, session, headers)

                    has_what_it_is_about = operation.label not in ABOUT_WHAT_IS_BROKEN
                    assert any(status < 300 for status in answered) or not has_what_it_is_about


def _ask(
    operation: Operation, venue: list[Names], session: requests.Session, headers: dict[str, str]
) -> Counter[int]:
    """Send valid and invalid requests. Returns how often each status was answered."""
    answered: Counter[int] = Counter()
    valid_cases = operation.as_strategy(GenerationMode.POSITIVE)
    invalid_cases = operation.as_strategy(GenerationMode.NEGATIVE)

    def judge(case: Request, *further: Any) -> None:
        """Send it, and the first that is answered well without a good token, too."""
        checks = [*CHECKS, *further]
        if not any(status < 300 for status in answered):
            checks.append(ignored_auth)
        response = case.call(session=session, headers=headers)
        case.validate_response(
            response, checks=checks, headers=headers, transport_kwargs={"headers": headers}
        )
        answered[response.status_code] += 1

    @EXAMPLES
    @given(valid_cases)
    def valid(case: Request) -> None:
        judge(case)

    @EXAMPLES
    @given(invalid_cases)
    def invalid(case: Request) -> None:
        judge(case, negative_data_rejection)

    @FEWER_EXAMPLES
    @given(valid_cases | invalid_cases)
    def about_what_exists(case: Request) -> None:
        parameters, body = case.path_parameters, case.body
        for known in venue:
            case.path_parameters = _aimed(parameters, known)
            case.body = _aimed(body, known)
            judge(case)

    takes_something = bool(operation.body) or any(operation.iter_parameters())
    for test in (valid, invalid, about_what_exists) if takes_something else (valid,):
        test()
    return answered


def _aimed(value: Any, known: Names) -> Any:
    """The value with the names of things that exist."""
    if isinstance(value, dict):
        return {name: known.get(name, _aimed(each, known)) for name, each in value.items()}
    if isinstance(value, list):
        return [_aimed(each, known) for each in value]
    return value
