-- No event waits longer than fifteen minutes to be published.
SELECT service || ': ' || count(*) || ' events unpublished since ' || min(staged_at) AS what FROM (
    SELECT 'checkout' AS service, staged_at FROM checkout.outbox WHERE published_at IS NULL
    UNION ALL SELECT 'webhooks', staged_at FROM webhooks.outbox WHERE published_at IS NULL
    UNION ALL SELECT 'notifier', staged_at FROM notifier.outbox WHERE published_at IS NULL
    UNION ALL SELECT 'monitor', staged_at FROM monitor.outbox WHERE published_at IS NULL) waiting
WHERE staged_at < now() - interval '15 minutes' GROUP BY service
