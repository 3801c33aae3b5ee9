"""A service's OpenAPI document: what it adds to FastAPI's, so that generators can use it.

Every refusal is a component that routes refer to, and every problem has one schema. The first
sentence of a route's docstring is its summary. Examples stand by the models of their bodies.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

from service_kit.http.deprecations import Deprecations, announce
from service_kit.http.feed_documents import Feeds, feed_schemas
from service_kit.http.open_enumerations import open_enumerations, operations
from service_kit.http.problems import PROBLEM_MEDIA_TYPE, Problem, ProblemError, problem_responses
from service_kit.http.response_headers import HEADERS, OF_ANY, referred

Json = dict[str, Any]

Examples = Mapping[type[BaseModel], Mapping[str, Any]]
"""For the model of a body its examples as JSON values, by name."""

SERVERS = [{"url": ".", "description": "Where this document is answered."}]
"""Relative to the document: a gateway may have the service below a path."""
COMPONENTS = "#/components/{kind}/{name}"


@dataclass(frozen=True, slots=True)
class ApiDescription:
    """What a service says of its API beside its routes."""

    tags: Mapping[str, str] = field(default_factory=dict)
    """What each of the routes' tags stands for."""
    examples: Examples = field(default_factory=dict)
    problem: type[Problem] = Problem
    """The problem details of the service, with the extensions that it adds."""
    feeds: Feeds = field(default_factory=dict)
    """The events of its live feeds."""
    deprecations: Deprecations = field(default_factory=dict)
    """What has to go."""


def operation_id(name: str) -> str:
    """The id of an operation whose route is a function of this name: `place_order`, `placeOrder`.

    It is the name of a function in generated clients.
    """
    first, *more = name.split("_")
    return first + "".join(map(str.capitalize, more))


def completed(
    document: Json,
    described: ApiDescription,
    *,
    of_any: Sequence[ProblemError],
    of_guarded: Sequence[ProblemError],
) -> Json:
    """The document that FastAPI made, changed in place.

    `of_any` are the refusals of any request, `of_guarded` of those that need a token.
    """
    components = document.setdefault("components", {})
    _add_problem(components, described.problem)
    components["schemas"] = feed_schemas(described.feeds) | components["schemas"]
    answers: Json = {}
    for operation in operations(document):
        refusals = [*of_any, *(of_guarded if "security" in operation else ())]
        _add_refusals(operation["responses"], refusals)
        for answer in operation["responses"].values():
            answer["headers"] = referred([OF_ANY]) | answer.get("headers", {})
    announce(document, described.deprecations)
    for operation in operations(document):
        operation["responses"] = {
            status: _shared(answer, status, answers)
            for status, answer in sorted(operation["responses"].items())
        }
        if "description" in operation:
            operation["summary"] = _first_sentence(operation["description"])
    _order_path_parameters(document)
    components["responses"] = dict(sorted(answers.items()))
    components["headers"] = _headers_of(document)
    codes = {code for each in answers.values() for code in _codes_of(each)}
    components["schemas"]["Problem"]["properties"]["code"]["x-extensible-enum"] = sorted(codes)
    open_enumerations(document)
    components["schemas"] = dict(sorted(components["schemas"].items()))
    _add_examples(document, described.examples)
    _add_tags(document, described.tags)
    return document


def _add_problem(components: Json, problem: type[Problem]) -> None:
    template = COMPONENTS.format(kind="schemas", name="{model}")
    schema = problem.model_json_schema(ref_template=template)
    schema["title"] = "Problem"
    schema["properties"] = {name: _never_null(each) for name, each in schema["properties"].items()}
    schemas = components.setdefault("schemas", {})
    schemas |= {name: each for name, each in schema.pop("$defs").items() if name not in schemas}
    schemas["Problem"] = schema
    components["schemas"] = schemas


def _never_null(field: Json) -> Json:
    """The schema of a field that is left out rather than null."""
    field = {keyword: each for keyword, each in field.items() if keyword != "default"}
    choices = [each for each in field.pop("anyOf", ()) if each != {"type": "null"}]
    return choices[0] | field if len(choices) == 1 else field


def _add_refusals(responses: Json, refusals: Sequence[ProblemError]) -> None:
    """Add refusals to the responses of an operation, which may have others of the same status."""
    for status, answer in problem_responses(*refusals).items():
        own = responses.setdefault(str(status), answer)
        if "headers" in answer:
            own["headers"] = own.get("headers", {}) | answer["headers"]
        for media_type, content in answer["content"].items():
            examples = own["content"].setdefault(media_type, content)["examples"]
            examples |= {
                code: each for code, each in content["examples"].items() if code not in examples
            }


def _shared(answer: Json, status: str, answers: Json) -> Json:
    """A reference to the answer among all, if it is a refusal; else the answer itself."""
    codes = sorted(_codes_of(answer))
    if not codes:
        return answer
    words = " or ".join(f"`{code}`" for code in codes)
    answer["description"] = f"{HTTPStatus(int(status)).phrase}: {words}."
    name, copy = "Or".join(_pascal_case(code) for code in codes) + status, 1
    while answers.setdefault(name, answer) != answer:  # the same codes, with other examples
        copy += 1
        name = f"{name.partition('_')[0]}_{copy}"
    return {"$ref": COMPONENTS.format(kind="responses", name=name)}


def _codes_of(answer: Json) -> Iterator[str]:
    yield from answer.get("content", {}).get(PROBLEM_MEDIA_TYPE, {}).get("examples", ())


def _headers_of(document: Json) -> Json:
    """The headers that some answer has."""
    own = (each for one in operations(document) for each in one["responses"].values())
    shared = document["components"]["responses"].values()
    used = {name for each in (*own, *shared) for name in each.get("headers", ())}
    return {name: header for name, header in HEADERS.items() if name in used}


def _order_path_parameters(document: Json) -> None:
    """Have them stand as in the path, ahead of others: generators make arguments of them."""
    for path, methods in document["paths"].items():
        for operation in methods.values():
            if "parameters" in operation:
                operation["parameters"].sort(
                    key=lambda each: (
                        path.index(f"{{{each['name']}}}") if each["in"] == "path" else len(path)
                    )
                )


def _pascal_case(name: str) -> str:
    return "".join(map(str.capitalize, name.split("-")))


def _first_sentence(description: str) -> str:
    return " ".join(description.partition("\n\n")[0].split()).removesuffix(".")


def _add_tags(document: Json, tags: Mapping[str, str]) -> None:
    if tags:
        document["tags"] = [{"name": name, "description": said} for name, said in tags.items()]


def _add_examples(document: Json, examples: Examples) -> None:
    """Add the examples wherever their model is a body."""
    by_name = {model.__name__: shown for model, shown in examples.items()}
    for operation in operations(document):
        for each in (operation.get("requestBody", {}), *operation["responses"].values()):
            for content in each.get("content", {}).values():
                if shown := _examples_of(content["schema"], by_name):
                    content["examples"] = {name: {"value": one} for name, one in shown.items()}


def _examples_of(schema: Json, by_name: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """The examples of a body's model, or of each model of a union."""
    choices = (schema, *schema.get("oneOf", ()), *schema.get("anyOf", ()))
    names = [each["$ref"].rpartition("/")[2] for each in choices if "$ref" in each]
    return {name: each for model in names for name, each in by_name.get(model, {}).items()}
