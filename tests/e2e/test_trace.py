"""One purchase is one trace, from the browser's request to the mail."""

from tests.e2e.collector import without_parent

PATH = {
    ("checkout", "POST /v1/orders"),
    ("checkout", "POST stripe"),
    ("webhooks", "receive stripe event"),
    ("checkout", "process checkout.on_payment_succeeded"),
    ("notifier", "process notifier.on_order_paid"),
    ("notifier", "send mail"),
    ("monitor", "process monitor.on_event"),
}


async def test_one_trace_spans_request_outbox_broker_webhook_consumers_and_mail(scene, stage, collector):
    shopper = scene.shopper("ned")
    placed = await shopper.place()
    await shopper.pay(placed)
    await scene.watcher.until_mailed(placed.email)
    query = "SELECT traceparent FROM checkout.order_timeline WHERE order_id = $1::text::uuid AND what = 'placed'"
    (row,) = await stage.look(query, placed.id)
    trace_id = row["traceparent"].split("-")[1]

    trace = await collector.until_whole(trace_id, {name for _, name in PATH})

    assert {(span.service, span.name) for span in trace} >= PATH
    assert without_parent(trace) == ["POST /v1/orders"]
    outbox = await stage.look(
        "SELECT traceparent FROM checkout.outbox WHERE type = 'order.paid' ORDER BY staged_at DESC"
    )
    assert trace_id in outbox[0]["traceparent"]
