"""The demo's shop with all that stands behind it, once for all stories; a fresh browser window for each."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest
from playwright.async_api import Browser, expect

from deploy.demo import programs
from deploy.demo.addresses import Addresses
from deploy.demo.keys import keys_from
from deploy.demo.private import free_ports
from deploy.demo.stage import Options, Stage
from deploy.demo.watching import Watcher
from tests import chromium
from tests.browser.backstage import Backstage
from tests.browser.window import Window
from tests.reporting import reporting

SIZES = {
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
    "desktop": {"viewport": {"width": 1280, "height": 900}},
}
SETTINGS = {
    "CHECKOUT_STRIPE_TIMEOUT_S": "4",
    "CHECKOUT_ATTEMPT_LEASE_S": "3",
    "CHECKOUT_ATTEMPT_WAIT_S": "2",
    "CHECKOUT_CARD_TESTING": "report",  # one shopper tries every card that fails
    "NOTIFIER_FAILURE_GRACE_S": "0.5",
    # A look for undelivered events would bring one that a story holds back.
    "WEBHOOKS_BACKFILL_INTERVAL_S": "86400",
    "WEBHOOKS_BACKFILL_IDLE_S": "86400",
    "WEBHOOKS_OUTAGE_AFTER_S": "86400",  # and a second in which the machine stood still is followed by a look
}
#: For the first story of each file, before which servers and browser may have to be installed.
SETTING_UP_S = 600

Open = Callable[..., Awaitable[Window]]
SecondShop = Callable[..., Awaitable[Addresses]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ours = [item for item in items if "tests/browser/" in item.path.as_posix()]
    for item in {item.path: item for item in reversed(ours)}.values():
        item.add_marker(pytest.mark.timeout(SETTING_UP_S))


@pytest.fixture(scope="package")
async def stage(backing) -> AsyncIterator[Stage]:
    said: list[str] = []
    async with Stage(backing, Options(keys_from({}), is_shared=True, changes=SETTINGS), said.append) as running:
        await running.prepare()
        await running.start()
        yield running
    assert not said, said  # nothing died


@pytest.fixture(scope="package")
async def browser(pytestconfig) -> AsyncIterator[Browser]:
    program = chromium.find(reporting(pytestconfig))
    expect.set_options(timeout=30_000)
    async with chromium.running(program) as running:
        yield running


@pytest.fixture
def backstage(stage) -> Backstage:
    return Backstage(stage, Watcher(stage.http, stage.addresses))


@pytest.fixture
async def open_window(browser, stage, backstage) -> AsyncIterator[Open]:
    """Opens windows with no past; afterwards none of them may have had an error or have asked anybody else."""
    opened: list[Window] = []

    async def open_one(size: str = "desktop", **options: object) -> Window:
        context = await browser.new_context(**{**SIZES[size], "locale": "en-GB", "reduced_motion": "reduce", **options})
        context.set_default_timeout(30_000)
        window = Window(await context.new_page(), stage.addresses)
        opened.append(window)
        return window

    yield open_one
    for window in opened:
        await window.page.context.close()
    await backstage.fair_weather()
    assert [fault for window in opened for fault in window.faults] == []
    assert [foreign for window in opened for foreign in window.foreign()] == []


@pytest.fixture(params=SIZES)
async def window(request, open_window) -> Window:
    """One on a phone, one on a desktop."""
    return await open_window(request.param)


@pytest.fixture
async def phone(open_window) -> Window:
    """For stories in which the window's size plays no part."""
    return await open_window("phone")


@pytest.fixture
async def second_shop(stage) -> AsyncIterator[SecondShop]:
    """Opens another shop beside the first, for the same orders: with a checkout of other settings, or with Stripe's
    own card form."""
    started: list[str] = []

    async def open_shop(stripe_url: str | None = None, **changes: str) -> Addresses:
        checkout_port, storefront_port = free_ports(2)
        ports = replace(stage.setup.ports, checkout=checkout_port, storefront=storefront_port)
        setup = replace(stage.setup, ports=ports, changes={**SETTINGS, **changes})
        checkout, shop = programs.services(setup)[0], programs.storefront(setup)
        shop = replace(shop, argv=(*shop.argv[:-1], stripe_url or shop.argv[-1]))
        chosen = [replace(each, name=f"second-{each.name}") for each in (checkout, shop)]
        started.extend(each.name for each in chosen)
        await stage.supervisor.start(*chosen)
        return setup.addresses()

    yield open_shop
    await stage.supervisor.stop(*started)
