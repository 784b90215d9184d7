"""What the description of an API says of problems that dependencies raise."""

from collections.abc import Iterator, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from tenantry.kernel import Problem, problems
from tenantry.kernel.context import Resolver
from tenantry.kernel.problems import PersonNeeded


def problems_of(dependant: Any, resolvers: Sequence[Resolver] = ()) -> Iterator[type[Problem]]:
    """The problems of a route's dependencies, and of theirs: those that name them in an attribute `problems`.

    And those of the resolvers, where the route asks who calls, and who of them may.
    """
    for one in dependant.dependencies:
        yield from getattr(one.call, "problems", ())
        who = getattr(one.call, "who", None)
        refusals = [problem for resolver in resolvers if who for problem in getattr(resolver, "problems", ())]
        yield from refusals
        if refusals and who == "people":
            yield PersonNeeded
        yield from problems_of(one, resolvers)


def describe_problems(app: FastAPI, resolvers: Sequence[Resolver]) -> None:
    """Let `app.openapi()` name them for each route, also in included routers; what a route says itself stays."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        schema = made()
        for route in iter_route_contexts(app.routes):
            if isinstance(route.original_route, APIRoute) and route.include_in_schema:
                found = problems(*problems_of(route.dependant, resolvers))
                for method in route.methods or ():
                    operation = schema["paths"].get(route.path_format, {}).get(method.lower(), {})
                    for status, described in found.items():
                        operation.setdefault("responses", {}).setdefault(str(status), described)
        return schema

    app.openapi = openapi  # type: ignore[method-assign] # the way FastAPI's own documentation names
