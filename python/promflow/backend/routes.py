"""The template of the route that a request matched (`/users/{id}`), read from the scope after the application ran.

Starlette and FastAPI leave their answer in the scope, so that nothing is matched a second time: matching again is what
other middlewares spend most of their time on, and it grows with the number of routes. The scope alone is not enough:

- with `include_router(prefix=...)` the route has its own path, and FastAPI's context the whole one;
- a mount leaves its concrete path in `root_path`, of which the template has to be found (and is remembered);
- Starlette before 0.47 leaves the endpoint but not the route.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]

# So many concrete paths of mounts are remembered.
_PREFIXES_MAX = 1024
# So deep mounts and included routers are followed.
_DEPTH_MAX = 32


def own_path(path: str, root: str) -> str:
    """Returns the path within an application, without the `root_path` under which a proxy or a mount serves it."""
    if root and path.startswith(root):
        rest = path[len(root) :]
        if not rest or rest[0] == "/":
            return rest
    return path


class Templates:
    """Finds templates for one application."""

    def __init__(self) -> None:
        self._prefixes: dict[str, str] = {}
        self._endpoints: dict[int, tuple[Any, set[str]]] = {}

    def find(self, app: Any, scope: Scope, root_before: str) -> str | None:
        """Returns the template of the route that `scope` was given to; `None` when it matched none.

        `app` is the application (`scope["app"]`) and `root_before` its `root_path` before it ran.
        """
        route = scope.get("route")
        context = _context_of(scope, route)
        if route is None and context is None:
            return self._by_endpoint(app, scope, root_before)
        path = _path_of(route, context)
        if path is None:
            return None
        root: str = scope.get("root_path", "")
        return path if root == root_before else self._prefix(app, root.removeprefix(root_before)) + path

    def _prefix(self, app: Any, concrete: str) -> str:
        """Returns the template of the mounts that a request went through."""
        template = self._prefixes.get(concrete)
        if template is None:
            template = _mounted(_routes_of(app), concrete, 0)
            if len(self._prefixes) >= _PREFIXES_MAX:
                self._prefixes.clear()
            # What no mount explains is the choice of the application's own code, and may be anything.
            self._prefixes[concrete] = template = template or ""
        return template

    def rematch(self, app: Any, scope: Scope, root_before: str) -> str | None:
        """Matches a request against all routes, as before the application runs nobody has done it yet."""
        best: str | None = None
        method = scope.get("method")
        for template, route in _matching(_routes_of(app), own_path(scope["path"], root_before), 0):
            methods = getattr(route, "methods", None)
            is_websocket = hasattr(route, "endpoint") and not hasattr(route, "methods")
            if is_websocket != (method is None):
                continue
            if not methods or method in methods:
                return template
            best = best or template
        return best

    def _by_endpoint(self, app: Any, scope: Scope, root_before: str) -> str | None:
        endpoint = scope.get("endpoint")
        if endpoint is None:
            return None
        known = self._endpoints.get(id(endpoint))
        if known is None:
            leaves = _leaves(_routes_of(app), "", 0)
            templates = {template for template, route in leaves if _endpoint_of(route) is endpoint}
            # Kept with the endpoint, so that no other one gets its id.
            known = (endpoint, templates)
            if templates:
                self._endpoints[id(endpoint)] = known
        if len(known[1]) == 1:
            return next(iter(known[1]))
        matching = _matching(_routes_of(app), own_path(scope["path"], root_before), 0)
        return next((template for template, route in matching if _endpoint_of(route) is endpoint), None)


def _routes_of(app: Any) -> Iterable[Any]:
    routes: Iterable[Any] = getattr(app, "routes", None) or ()
    return routes


def _context_of(scope: Scope, route: Any) -> Any:
    """Returns what FastAPI says of a route in an included router, unless that is about an application around it."""
    fastapi = scope.get("fastapi")
    context = fastapi.get("effective_route_context") if fastapi else None
    if context is None:
        return None
    included = getattr(context, "starlette_route", None)
    if route is None:
        is_own = included is not None and _endpoint_of(included) is scope.get("endpoint")
    else:
        is_own = context.original_route is route or included is route
    return context if is_own else None


def _path_of(route: Any, context: Any) -> str | None:
    """Returns the path of a route without that of the mounts around it; `None` for a request that got no further."""
    if context is not None:
        # A route of FastAPI's own has its whole path in the context, one of Starlette's in a copy.
        route = getattr(context, "starlette_route", None) or context
    if not hasattr(route, "path"):
        return None
    if _is_mount(route):
        # What is below has no routes that could be named (static files), or none of them matched. The path of
        # the mount stands in root_path already.
        return None if route.routes else ""
    path: str = route.path
    return path


def _endpoint_of(route: Any) -> Any:
    """Returns what answers for a route, as it stands in the scope."""
    return route.endpoint if hasattr(route, "endpoint") else getattr(route, "app", None)


def _is_mount(route: Any) -> bool:
    return hasattr(route, "routes") and hasattr(route, "path_regex")


def _expanded(routes: Iterable[Any]) -> Iterator[Any]:
    """Returns routes, those of FastAPI's included routers with their whole paths."""
    for route in routes:
        contexts = getattr(route, "effective_route_contexts", None)
        if contexts is None:
            yield route
            continue
        for context in contexts():
            yield getattr(context, "starlette_route", None) or context


def _mounted(routes: Iterable[Any], concrete: str, depth: int) -> str | None:
    """Finds the mounts that a concrete path is made of, and joins their templates."""
    if depth > _DEPTH_MAX:
        return None
    for route in _expanded(routes):
        if not _is_mount(route):
            if hasattr(route, "host") and hasattr(route, "routes"):
                found = _mounted(route.routes, concrete, depth + 1)
                if found is not None:
                    return found
            continue
        match = route.path_regex.match(concrete + "/")
        if not match:
            continue
        rest = ("/" + match["path"]).rstrip("/")
        below = _mounted(route.routes, rest, depth + 1) if rest else ""
        if below is not None:
            template: str = route.path + below
            return template
    return None


def _leaves(routes: Iterable[Any], prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
    """Returns the routes below which there are no others, with their whole templates."""
    if depth > _DEPTH_MAX:
        return
    for route in _expanded(routes):
        if _routes_of(route):
            yield from _leaves(route.routes, prefix + getattr(route, "path", ""), depth + 1)
        elif hasattr(route, "path_regex"):
            yield prefix + route.path, route


def _matching(routes: Iterable[Any], path: str, depth: int) -> Iterator[tuple[str, Any]]:
    """Returns the routes that a path matches, of any method, with their whole templates."""
    if depth > _DEPTH_MAX:
        return
    for route in _expanded(routes):
        if not hasattr(route, "path_regex"):
            yield from _matching(_routes_of(route), path, depth + 1)
            continue
        found = route.path_regex.match(path)
        if not found:
            continue
        if not _routes_of(route):
            yield route.path, route
            continue
        for template, leaf in _matching(route.routes, "/" + found["path"], depth + 1):
            yield route.path + template, leaf
