"""Buying, seen from where a customer and an operator sit: pages, mails, figures."""

import re

import aiohttp

from deploy.demo.shopper import DECLINED, THREE_D_SECURE, Shopper
from tests.compose.suite import Suite, Watch


async def test_a_purchase_is_paid_confirmed_by_mail_and_counted(
    shopper: Shopper, watch: Watch, http: aiohttp.ClientSession
) -> None:
    placed = await shopper.place()
    await shopper.pay(placed)
    await shopper.until_it_is("paid", placed, within_s=120)
    mail = await watch.until_mailed(placed.email, placed.number)
    assert mail["From"]["Address"] == "orders@kct-menswear.example"
    assert placed.number in mail["HTML"]

    link = re.search(r"http://127\.0\.0\.1:\d+/orders/\S+", mail["Text"])
    assert link, mail["Text"]
    async with http.get(link[0]) as page:
        assert page.status == 200
        assert placed.number in await page.text()

    await watch.until_figure('sum(checkout_payments_total{service="checkout",result="paid"})', 1)
    handled = 'sum(bus_consumed_total{service="notifier",queue="notifier.on_order_paid",outcome="handled"})'
    await watch.until_figure(handled, 1)


async def test_a_declined_card_leaves_the_order_open_and_the_customer_hears_of_it(
    shopper: Shopper, watch: Watch
) -> None:
    placed = await shopper.place()
    status, _ = await shopper.confirm(placed, DECLINED)
    assert status == 402
    await shopper.until_it_is("failed", placed, within_s=120)
    mail = await watch.until_mailed(placed.email, placed.number)
    assert "insufficient" not in mail["Text"].lower(), "why the bank refused is between the customer and the bank"

    await shopper.pay(placed)
    await shopper.until_it_is("paid", placed, within_s=120)


async def test_three_d_secure_is_answered_on_the_page_that_the_browser_is_sent_to(shopper: Shopper) -> None:
    placed = await shopper.place(shopper.basket(locale="de", currency="eur"))
    _, challenge = await shopper.confirm(placed, THREE_D_SECURE)
    assert challenge["status"] == "requires_action"
    await shopper.authenticate(challenge)
    await shopper.until_it_is("paid", placed, within_s=120)


async def test_prometheus_sees_every_process_through_the_monitor(watch: Watch) -> None:
    for service in ("checkout", "webhooks", "notifier", "monitor"):
        await watch.until_figure(f'bus_connected{{service="{service}"}}', 1)
    await watch.until_figure('up{job="kct"}', 1)


async def test_the_monitors_page_opens_on_this_machine_and_for_nobody_behind_a_proxy(
    suite: Suite, http: aiohttp.ClientSession
) -> None:
    async with http.get(f"{suite.url('monitor')}/dashboard") as page:
        assert page.status == 200
    async with http.get(f"{suite.url('webhooks')}/healthz") as health:
        assert health.status == 200
