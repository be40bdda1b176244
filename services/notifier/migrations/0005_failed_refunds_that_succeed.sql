-- A refund that Stripe refused, was made after all, and failed then: its latest failure counts.

GRANT UPDATE (event_id, failed_at) ON failed_refunds TO {{prefix}}_notifier_worker;
