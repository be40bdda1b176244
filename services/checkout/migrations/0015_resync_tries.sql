-- A look that fails each time comes less often: it may be an order that needs a person, and Stripe counts the reads.

ALTER TABLE resyncs ADD COLUMN tries integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN resyncs.tries IS 'How often the payment was looked at in vain since it was last asked for.';
