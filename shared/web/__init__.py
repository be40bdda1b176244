"""The HTTP side of every service: one app factory with all rules built in, and what handlers need.

routes = [web.get("/v1/things/{id}", show_thing)]
app = make_app(settings, routes, ready_checks={"database": pool.is_reachable})
app.cleanup_ctx.append(resources)
run(app, settings)
"""

from shared.web.address import client_address, is_in
from shared.web.app import make_app
from shared.web.bodies import MalformedForm, MalformedId, MalformedJson, parse, parse_form, parse_json, path_uuid, reply
from shared.web.health import ReadyCheck
from shared.web.keys import CLIENT_ADDRESS, DRAINING, REQUEST_ID, SETTINGS
from shared.web.limits import unlimited
from shared.web.serve import run, serve

__all__ = [
    "CLIENT_ADDRESS",
    "DRAINING",
    "REQUEST_ID",
    "SETTINGS",
    "MalformedForm",
    "MalformedId",
    "MalformedJson",
    "ReadyCheck",
    "client_address",
    "is_in",
    "make_app",
    "parse",
    "parse_form",
    "parse_json",
    "path_uuid",
    "reply",
    "run",
    "serve",
    "unlimited",
]
