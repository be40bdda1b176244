"""What shoppers live through, with every part a real process."""

from deploy.demo.shopper import DECLINED, THREE_D_SECURE
from deploy.demo.waiting import until


async def test_a_paid_order_is_confirmed_once_and_its_goods_are_sold(scene):
    shopper, sku = scene.shopper("ada"), "OXFORD-SHIRT-WHIT-L"
    on_hand, reserved = await scene.stock(sku)
    placed = await shopper.place(shopper.basket(sku, 2))
    assert await scene.stock(sku) == (on_hand, reserved + 2)

    await shopper.pay(placed)
    await shopper.until_it_is("paid", placed)
    (mail,) = await scene.watcher.until_mailed(placed.email)

    assert await scene.stock(sku) == (on_hand - 2, reserved)
    assert placed.number in mail["subject"]
    assert mail["copies"] == 1
    intent = await scene.watcher.intent(placed.payment_intent_id)
    assert (intent["status"], intent["amount_received"]) == ("succeeded", placed.total_minor)


async def test_a_declined_card_is_told_and_another_one_pays_the_same_order(scene):
    shopper = scene.shopper("ben")
    placed = await shopper.place()

    status, answer = await shopper.confirm(placed, DECLINED)
    assert (status, answer["error"]["decline_code"]) == (402, "insufficient_funds")
    await shopper.until_it_is("failed", placed)
    await end_grace(scene, placed)
    await scene.watcher.until_mailed(placed.email)
    await letters_are(scene, placed, {"payment_failed": ["accepted"]})

    await shopper.pay(placed)
    await shopper.until_it_is("paid", placed)
    await scene.watcher.until_mailed(placed.email, 2)
    await letters_are(scene, placed, {"payment_failed": ["accepted"], "order_confirmation": ["accepted"]})


async def end_grace(scene, placed):
    """No other card came in time: the failure mail is due."""
    query = "UPDATE notifier.letters SET due_at = now() WHERE order_id = $1::text::uuid RETURNING id"

    async def probe():
        return await scene.stage.look(query, placed.id, as_owner=True)

    await until(probe, "a failure mail waits", 30)


async def letters_are(scene, placed, wanted):
    """The mail server has a mail a moment before we have written down that it was accepted."""

    async def probe():
        return await scene.letters(placed) == wanted

    await until(probe, f"the letters are {wanted}", 60)


async def test_a_failure_mail_is_withdrawn_when_another_card_pays_in_time(scene):
    shopper = scene.shopper("cleo")
    placed = await shopper.place()
    await shopper.confirm(placed, DECLINED)
    await shopper.until_it_is("failed", placed)  # else the payment may overtake the refusal, and no mail is ever due
    await shopper.pay(placed)

    async def probe():
        letters = await scene.letters(placed)
        return letters if letters.get("payment_failed") not in (None, ["pending"]) else None

    letters = await until(probe, "the failure mail is decided about", 60)
    assert letters["payment_failed"] == ["withdrawn"]
    (mail,) = await scene.watcher.until_mailed(placed.email)
    assert "thank you" in mail["subject"]


async def test_a_payment_waits_for_the_banks_customer(scene):
    shopper = scene.shopper("dora")
    placed = await shopper.place(shopper.basket(locale="de", currency="eur"))
    status, challenge = await shopper.confirm(placed, THREE_D_SECURE)
    assert (status, challenge["status"]) == (200, "requires_action")
    assert (await shopper.look(placed))["payment"] == "awaiting"

    await shopper.authenticate(challenge)

    order = await shopper.until_it_is("paid", placed)
    assert order["currency"] == "eur"
    (mail,) = await scene.watcher.until_mailed(placed.email)
    assert "vielen Dank" in mail["subject"]


async def test_a_link_in_the_mail_leads_to_the_order(scene, stage):
    shopper = scene.shopper("emma")
    placed = await shopper.place()
    await shopper.pay(placed)
    (mail,) = await scene.watcher.until_mailed(placed.email)
    text = (await scene.watcher.get(f"{stage.addresses.mail_url}/api/messages/{mail['id']}"))["text"]
    link = next(word for word in text.split() if f"/orders/{placed.id}" in word)

    async with stage.http.get(link) as page:
        assert page.status == 200
        assert placed.number in await page.text()


async def test_an_abandoned_order_expires_and_gives_its_goods_back(scene):
    shopper, sku = scene.shopper("fay"), "OXFORD-SHIRT-WHIT-XL"
    before = await scene.stock(sku)
    placed = await shopper.place(shopper.basket(sku))
    await scene.shorten(placed, 0)
    await shopper.until_it_is("expired", placed)

    assert await scene.stock(sku) == before
    assert (await scene.watcher.intent(placed.payment_intent_id))["status"] == "canceled"
    status, answer = await shopper.confirm(placed)
    assert (status, answer["error"]["code"]) == (400, "payment_intent_unexpected_state")
