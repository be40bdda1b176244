"""Who may call the stand-in with what, and how it refuses the rest."""

import pytest

from deploy.standins.stripe.config import Config
from tests.integration.standins.conftest import KEY, StandIn, Start

# Put together, so that no scanner takes them for real ones.
LIVE_KEYS = ["sk_" + "live_standin", "rk_" + "live_standin", "pk_" + "live_standin"]


@pytest.mark.parametrize("key", LIVE_KEYS)
async def test_a_live_key_is_refused(stand_in: StandIn, key: str) -> None:
    status, body, headers = await stand_in.post("/v1/customers", {}, key)
    assert (status, body["error"]["code"]) == (401, "stand_in_refuses_live_keys")
    assert key not in str(body)
    assert headers["Stand-In"] == "1"
    assert (await stand_in.control("GET", "/state"))["customers"] == 0


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Digest x"}])
async def test_without_a_key_of_a_known_form_nothing_is_answered(stand_in: StandIn, header: dict[str, str]) -> None:
    async with stand_in.session.get(f"{stand_in.url}/v1/customers", headers=header) as response:
        assert response.status == 401
        assert (await response.json())["error"]["type"] == "invalid_request_error"


async def test_every_answer_is_marked_as_a_stand_ins(stand_in: StandIn) -> None:
    for path in ("/v1/customers", "/v1/nowhere", "/", "/_control/state", "/nowhere"):
        headers = {"Authorization": f"Bearer {KEY}"}
        async with stand_in.session.get(f"{stand_in.url}{path}", headers=headers) as response:
            assert response.headers["Stand-In"] == "1"
            if path.startswith("/v1"):
                assert response.headers["Request-Id"].startswith("req_")
                assert response.headers["Stripe-Version"] == "2026-09-30.endive"


@pytest.mark.parametrize(
    ("form", "code", "param"),
    [
        ({"currency": "usd"}, "parameter_missing", "amount"),
        ({"amount": "100"}, "parameter_missing", "currency"),
        ({"amount": "", "currency": "usd"}, "parameter_invalid_empty", "amount"),
        ({"amount": "12.5", "currency": "usd"}, "parameter_invalid_integer", "amount"),
        ({"amount": "-5", "currency": "usd"}, "parameter_invalid_integer", "amount"),
        ({"amount": "49", "currency": "usd"}, "amount_too_small", "amount"),
        ({"amount": "100000000", "currency": "usd"}, "amount_too_large", "amount"),
        ({"amount": "100", "currency": "xyz"}, None, "currency"),
        ({"amount": "100", "currency": "usd", "colour": "red"}, "parameter_unknown", "colour"),
        (
            {"amount": "100", "currency": "usd", "automatic_payment_methods[on]": "true"},
            "parameter_unknown",
            "automatic_payment_methods[on]",
        ),
        (
            {"amount": "100", "currency": "usd", "payment_method_types[]": "card"},
            "parameter_unknown",
            "payment_method_types",
        ),
        ({"amount": "100", "currency": "usd", "capture_method": "later"}, None, "capture_method"),
        ({"amount": "100", "currency": "usd", "customer": "cus_none"}, "resource_missing", "customer"),
        ({"amount": "100", "currency": "usd", "expand[]": "colour"}, None, "expand"),
    ],
)
async def test_a_wrong_parameter_is_named(
    stand_in: StandIn, form: dict[str, str], code: str | None, param: str
) -> None:
    status, body, _ = await stand_in.post("/v1/payment_intents", form)
    assert status == (404 if code == "resource_missing" else 400)
    assert (body["error"].get("code"), body["error"]["param"]) == (code, param)
    assert body["error"]["type"] == "invalid_request_error"
    assert (await stand_in.control("GET", "/state"))["payment_intents"] == 0


async def test_payment_method_types_is_unknown_on_confirm_too(stand_in: StandIn) -> None:
    _, intent, _ = await stand_in.post("/v1/payment_intents", {"amount": "100", "currency": "usd"})
    path = f"/v1/payment_intents/{intent['id']}/confirm"
    _, body, _ = await stand_in.post(path, {"payment_method": "pm_card_visa", "payment_method_types[0]": "card"})
    assert body["error"]["code"] == "parameter_unknown"


async def test_a_server_that_confirms_must_give_a_way_back_from_redirects(stand_in: StandIn) -> None:
    form = {"amount": "100", "currency": "usd", "confirm": "true", "payment_method": "pm_card_visa"}
    status, body, _ = await stand_in.post("/v1/payment_intents", form)
    assert (status, body["error"]["param"]) == (400, "return_url")
    assert (await stand_in.post("/v1/payment_intents", {**form, "return_url": "http://127.0.0.1/"}))[0] == 200


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("4242424242424241", "incorrect_number"),
        ("4000000000000010", "card_declined"),
        ("abc", "incorrect_number"),
    ],
)
async def test_only_test_numbers_make_payment_methods(stand_in: StandIn, number: str, code: str) -> None:
    form = {"type": "card", "card[number]": number, "card[exp_month]": "1", "card[exp_year]": "2040"}
    status, body, _ = await stand_in.post("/v1/payment_methods", form)
    assert (status, body["error"]["type"], body["error"]["code"]) == (402, "card_error", code)
    assert number not in str(body)


async def test_a_json_body_is_refused(stand_in: StandIn) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    url = f"{stand_in.url}/v1/payment_intents"
    async with stand_in.session.post(url, json={"amount": 100}, headers=headers) as response:
        assert response.status == 400


async def test_more_than_the_limit_is_answered_429_with_its_reason(start: Start) -> None:
    stand_in = await start(Config(requests_per_s_and_endpoint=3))
    answers = [await stand_in.post("/v1/customers", {}) for _ in range(40)]  # within ten seconds
    refused = [headers for status, _, headers in answers if status == 429]
    assert len(refused) >= 2
    assert refused[0]["Stripe-Rate-Limited-Reason"] == "endpoint-rate"
    assert "Stripe-Should-Retry" not in refused[0]
    assert (await stand_in.get("/v1/customers"))[0] == 200


async def test_a_browser_may_ask_from_anywhere(stand_in: StandIn) -> None:
    async with stand_in.session.options(f"{stand_in.url}/v1/payment_intents/pi_1/confirm") as response:
        assert (response.status, response.headers["Access-Control-Allow-Origin"]) == (204, "*")


async def test_the_page_shows_payments_and_escapes_what_came_from_outside(stand_in: StandIn) -> None:
    form = {"amount": "100", "currency": "usd", "metadata[order_id]": "<script>x</script>"}
    _, intent, _ = await stand_in.post("/v1/payment_intents", form)
    async with stand_in.session.get(stand_in.url) as response:
        page = await response.text()
    assert intent["id"] in page
    assert "It is not Stripe" in page
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert intent["client_secret"] not in page


async def test_a_person_authenticates_on_the_page_and_is_sent_back(stand_in: StandIn) -> None:
    form = {
        "amount": "100",
        "currency": "usd",
        "confirm": "true",
        "payment_method": "pm_card_authenticationRequired",
        "return_url": "http://127.0.0.1:9/back?order=1",
    }
    _, intent, _ = await stand_in.post("/v1/payment_intents", form)
    page = intent["next_action"]["redirect_to_url"]["url"]
    async with stand_in.session.get(page) as response:
        assert "Yes, pay" in await response.text()
    async with stand_in.session.post(page, data={"outcome": "succeed"}, allow_redirects=False) as response:
        assert response.status == 303
        assert response.headers["Location"].startswith("http://127.0.0.1:9/back?order=1&payment_intent=")
        assert response.headers["Location"].endswith("redirect_status=succeeded")
    assert (await stand_in.get(f"/v1/payment_intents/{intent['id']}"))[1]["status"] == "succeeded"


async def test_a_reset_empties_everything(stand_in: StandIn) -> None:
    await stand_in.post("/v1/customers", {}, **{"Idempotency-Key": "k"})
    await stand_in.control("POST", "/faults", {"kind": "error_before", "times": None})
    await stand_in.control("POST", "/reset")
    state = await stand_in.control("GET", "/state")
    assert (state["customers"], state["events"], state["idempotency_keys"]) == (0, 0, 0)
    assert (await stand_in.post("/v1/customers", {}, **{"Idempotency-Key": "k"}))[0] == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/faults", {"kind": "explode"}),
        ("/faults", {"kind": "latency", "delay_s": "long"}),
        ("/faults", {"kind": "latency", "colour": "red"}),
        ("/deliveries/rules", {"lose_next": "many"}),
        ("/deliveries/rules", {"drop_everything": True}),
        ("/webhook_endpoints", {"url": "http://127.0.0.1:9/"}),
        ("/webhook_endpoints", {"url": "http://127.0.0.1:9/", "secrets": []}),
    ],
)
async def test_a_wrong_command_is_refused_with_a_reason(stand_in: StandIn, path: str, body: dict[str, object]) -> None:
    async with stand_in.session.post(f"{stand_in.url}/_control{path}", json=body) as response:
        assert response.status == 400
        assert (await response.json())["error"]
