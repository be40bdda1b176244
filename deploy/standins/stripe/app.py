"""Puts the stand-in together."""

from collections.abc import AsyncIterator

from aiohttp import web

from deploy.standins.stripe.account import Account
from deploy.standins.stripe.api import Api
from deploy.standins.stripe.config import Config
from deploy.standins.stripe.control import Control
from deploy.standins.stripe.delivery import Deliverer
from deploy.standins.stripe.files import Files
from deploy.standins.stripe.page import Pages
from deploy.standins.stripe.wire import mark, preflight

ACCOUNT = web.AppKey("account", Account)
DELIVERER = web.AppKey("deliverer", Deliverer)


def make_app(config: Config | None = None) -> web.Application:
    app = web.Application(middlewares=[preflight])
    app[ACCOUNT] = account = Account(config or Config())
    app[DELIVERER] = deliverer = Deliverer(account)
    Api(account).add_to(app)
    Control(account, deliverer).add_to(app)
    Pages(account, deliverer).add_to(app)
    Files().add_to(app)
    app.on_response_prepare.append(mark)
    app.cleanup_ctx.append(_delivering)
    return app


async def _delivering(app: web.Application) -> AsyncIterator[None]:
    async with app[DELIVERER].running():
        yield
