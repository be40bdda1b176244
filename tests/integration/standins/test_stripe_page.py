"""A person completes and fails things on the stand-in's own page: plain forms, everything escaped."""

import pytest

from tests.integration.standins.conftest import StandIn


async def paid(stand_in: StandIn, method: str = "pm_card_visa", **more: str) -> str:
    form = {"amount": "2500", "currency": "usd", "confirm": "true", "payment_method": method, **more}
    _, body, _ = await stand_in.post("/v1/payment_intents", {**form, "return_url": "http://127.0.0.1/back"})
    return str(body["id"])


async def act(stand_in: StandIn, intent: str, name: str, **more: str) -> str:
    async with stand_in.session.post(f"{stand_in.url}/payments/{intent}", data={"act": name, **more}) as response:
        assert response.status == 200
        return await response.text()


async def ids(stand_in: StandIn, noun: str) -> list[str]:
    return [row["id"] for row in (await stand_in.get(f"/v1/{noun}"))[1]["data"]]


async def test_3d_secure_is_completed_by_hand(stand_in: StandIn) -> None:
    intent = await paid(stand_in, "pm_card_authenticationRequired")
    assert "Complete 3-D Secure" in await act(stand_in, intent, "nothing")
    assert "succeeded" in await act(stand_in, intent, "authenticate")


async def test_a_payment_is_refunded_and_the_refund_fails_by_hand(stand_in: StandIn) -> None:
    intent = await paid(stand_in)
    assert "Let it fail" in await act(stand_in, intent, "refund", amount="500")
    (refund,) = await ids(stand_in, "refunds")
    assert "expired_or_canceled_card" in await act(stand_in, intent, "fail_refund", id=refund)
    assert "greater than" in await act(stand_in, intent, "refund", amount="2501")


@pytest.mark.parametrize(
    ("opening", "deciding", "status"), [("dispute", "win", "won"), ("inquire", "escalate", "needs_response")]
)
async def test_a_dispute_is_opened_and_decided_by_hand(
    stand_in: StandIn, opening: str, deciding: str, status: str
) -> None:
    intent = await paid(stand_in)
    await act(stand_in, intent, opening)
    (dispute,) = await ids(stand_in, "disputes")
    assert f">{status}<" in await act(stand_in, intent, deciding, id=dispute)


async def test_a_review_is_approved_by_hand(stand_in: StandIn) -> None:
    intent = await paid(stand_in)
    assert "Approve" in await act(stand_in, intent, "review")
    (review,) = await ids(stand_in, "reviews")
    assert "approved" in await act(stand_in, intent, "approve", id=review)
    assert "no such refund" in await act(stand_in, await paid(stand_in), "approve", id=review)


async def test_a_held_payment_is_captured_by_hand(stand_in: StandIn) -> None:
    intent = await paid(stand_in, capture_method="manual")
    assert "received 2500" in await act(stand_in, intent, "capture")


async def test_a_setup_is_authenticated_by_hand_and_goes_back_to_the_shop(stand_in: StandIn) -> None:
    form = {"payment_method": "pm_card_authenticationRequired", "confirm": "true", "return_url": "http://127.0.0.1/b"}
    _, setup, _ = await stand_in.post("/v1/setup_intents", form)
    url = setup["next_action"]["redirect_to_url"]["url"]
    async with stand_in.session.post(url, data={"outcome": "succeed"}, allow_redirects=False) as response:
        assert f"setup_intent={setup['id']}" in response.headers["Location"]
    async with stand_in.session.get(f"{stand_in.url}/payments/{setup['id']}") as response:
        assert response.status == 404


async def test_everything_is_escaped(stand_in: StandIn) -> None:
    await paid(stand_in, **{"metadata[order_id]": "<script>alert(1)</script>"})
    async with stand_in.session.get(stand_in.url) as response:
        page = await response.text()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
