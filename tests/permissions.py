"""Every route of an app with what it asks of its callers, so that a test can hold the whole list against intent."""

from aiohttp import hdrs, web

from shared.permissions import Permission, permission_of

# What every service has.
HEALTH = {
    "GET /healthz": Permission.PUBLIC,
    "GET /readyz": Permission.PUBLIC,
    "GET /openapi.json": Permission.PUBLIC,
    "GET /reference": Permission.PUBLIC,
}


def permissions(app: web.Application) -> dict[str, Permission | None]:
    """`METHOD /path` -> permission; None where a route forgot to declare one, which shuts it for everybody."""
    return {
        f"{route.method} {route.resource.canonical if route.resource else '?'}": permission_of(route.handler)
        for route in app.router.routes()
        if route.method != hdrs.METH_HEAD  # added by aiohttp to every GET, with the same handler
    }


def undeclared(app: web.Application) -> list[str]:
    """Routes that nobody can reach because they say nothing."""
    return [route for route, permission in permissions(app).items() if permission is None]
