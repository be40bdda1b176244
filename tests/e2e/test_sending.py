"""From the warning of a bank to the parcel and the refund, with every part a real process: the demo's own step."""

from deploy.demo.walk import sending


async def test_a_warned_order_waits_for_a_person_then_it_is_sent_and_every_mail_comes_once(scene):
    await sending.decide(scene)
