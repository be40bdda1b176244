-- Whether a payment is ours is asked of the attempts too, at every look at Stripe's balance: without an index each look
-- read all of them.

CREATE INDEX payment_attempts_made ON payment_attempts (payment_intent_id)
    WHERE operation = 'create_intent' AND payment_intent_id IS NOT NULL;
