"""Who may call what."""

from pydantic import SecretStr

from services.webhooks.app import make
from services.webhooks.settings import WebhooksSettings
from shared.permissions import Permission
from tests.permissions import HEALTH, permissions, undeclared


def test_every_route_says_who_may_call_it():
    app = make(
        WebhooksSettings(
            database_url=SecretStr("postgresql://localhost/kct"),
            amqp_url=SecretStr("amqp://localhost/"),
            stripe_secrets=(SecretStr("whsec_test_standin"),),
            livemode=False,
        )
    )
    assert undeclared(app) == []
    public = ("GET /staff/enter", "POST /staff/enter", "GET /staff/static/{name}")
    staff = ("GET /staff/events", "GET /staff/events/{id}", "POST /staff/events/{id}/resync", "POST /staff/leave")
    assert permissions(app) == {
        **HEALTH,
        "POST /webhooks/stripe": Permission.STRIPE_SIGNATURE,
        **dict.fromkeys(public, Permission.PUBLIC),
        **dict.fromkeys(staff, Permission.STAFF),
    }
