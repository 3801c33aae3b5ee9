"""The methods that a path takes, as `Allow` names them: those of all its routes together."""

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette._utils import get_route_path
from starlette.types import Scope

IN_ORDER = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


class AllowedMethods:
    """Looks at the routes of an application, which is complete."""

    def __init__(self, framework: FastAPI) -> None:
        self._routes = [
            (path, frozenset(route.methods))
            for route in iter_route_contexts(framework.routes)
            if route.methods and (path := getattr(route, "path_regex", None))
        ]

    def of(self, scope: Scope) -> str | None:
        """The methods that the request's path takes, between commas; None if there is no path."""
        path = get_route_path(scope)
        methods = {each for route, methods in self._routes if route.match(path) for each in methods}
        if not methods:
            return None
        if "GET" in methods:
            methods.add("HEAD")  # which the edge answers as GET
        return ", ".join([*(each for each in IN_ORDER if each in methods), "OPTIONS"])
