-- The books: double entry, append-only, every transaction zero in every currency.

CREATE TABLE ledger_transactions (
    id       uuid PRIMARY KEY,
    kind     text NOT NULL CHECK (kind IN ('payment', 'refund', 'refund_returned', 'balance')),
    source   text NOT NULL,
    order_id uuid REFERENCES orders,
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT ledger_transactions_once UNIQUE (kind, source)
);
COMMENT ON TABLE ledger_transactions IS
    'What was booked, once each: what we heard (payment, refund) and what Stripe settled (balance: its txn_…).';
CREATE INDEX ledger_transactions_order ON ledger_transactions (order_id) WHERE order_id IS NOT NULL;

CREATE TABLE ledger_entries (
    transaction_id uuid NOT NULL REFERENCES ledger_transactions,
    position       integer NOT NULL,
    account        text NOT NULL CHECK (account IN ('stripe_balance', 'stripe_pending', 'sales', 'customer_credit',
                                                    'refunds', 'fees', 'disputes', 'payouts', 'exchange', 'other')),
    currency       text NOT NULL CHECK (currency ~ '^[a-z]{3}$'),
    amount_minor   bigint NOT NULL CHECK (amount_minor <> 0),
    PRIMARY KEY (transaction_id, position)
);
COMMENT ON TABLE ledger_entries IS 'Debits (positive) and credits (negative), in minor units.';
CREATE INDEX ledger_entries_account ON ledger_entries (account, currency);

CREATE FUNCTION ledger_balances() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    wrong text;
    which uuid := CASE TG_TABLE_NAME WHEN 'ledger_entries' THEN (to_jsonb(NEW)->>'transaction_id')::uuid
                                     ELSE (to_jsonb(NEW)->>'id')::uuid END;
BEGIN
    IF NOT EXISTS (SELECT FROM ledger_entries WHERE transaction_id = which) THEN
        RAISE EXCEPTION 'ledger transaction % has no entries', which
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_sums_to_zero';
    END IF;
    SELECT string_agg(currency || ' ' || total, ', ') INTO wrong FROM (
        SELECT currency, sum(amount_minor) AS total FROM ledger_entries WHERE transaction_id = which
        GROUP BY currency HAVING sum(amount_minor) <> 0) s;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'ledger transaction % does not sum to zero: %', which, wrong
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_sums_to_zero';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION ledger_balances IS 'At commit: every transaction has entries, and they sum to zero in each currency.';
CREATE CONSTRAINT TRIGGER sums_to_zero AFTER INSERT ON ledger_transactions
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_balances();
-- An entry that is added to an old transaction is held against it, too.
CREATE CONSTRAINT TRIGGER sums_to_zero AFTER INSERT ON ledger_entries
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_balances();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ledger_transactions
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ledger_entries
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE balance_poll (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    booked_to   timestamptz NOT NULL DEFAULT now() - interval '1 day',
    due_at      timestamptz NOT NULL DEFAULT '-infinity',
    looked_at   timestamptz
);
COMMENT ON TABLE balance_poll IS 'Up to when Stripe''s balance transactions are booked, and when we look again.';
INSERT INTO balance_poll (booked_to) SELECT coalesce(min(placed_at), now()) - interval '1 day' FROM orders;

GRANT SELECT, INSERT ON ledger_transactions, ledger_entries TO {{prefix}}_checkout_worker;
GRANT SELECT, INSERT, UPDATE ON balance_poll TO {{prefix}}_checkout_worker;
GRANT SELECT ON ledger_transactions, ledger_entries, balance_poll TO {{prefix}}_auditor;

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['ledger_transactions', 'ledger_entries', 'balance_poll'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_all ON %I TO CURRENT_USER USING (true)', t);
        EXECUTE format('CREATE POLICY worker_all ON %I TO {{prefix}}_checkout_worker USING (true)', t);
        EXECUTE format('CREATE POLICY auditor_reads ON %I FOR SELECT TO {{prefix}}_auditor USING (true)', t);
    END LOOP;
END $$;

-- What was paid before there were books is booked now.
WITH old AS (
    INSERT INTO ledger_transactions (id, kind, source, order_id)
    SELECT gen_random_uuid(), 'payment', payment_intent_id, order_id FROM payments
    WHERE status = 'succeeded' AND amount_received_minor > 0 RETURNING id, source)
INSERT INTO ledger_entries (transaction_id, position, account, currency, amount_minor)
SELECT o.id, e.position, e.account, p.currency, e.amount_minor FROM old o JOIN payments p ON p.payment_intent_id = o.source
CROSS JOIN LATERAL (VALUES (0, 'stripe_pending', p.amount_received_minor),
    (1, CASE WHEN p.settles THEN 'sales' ELSE 'customer_credit' END, -p.amount_received_minor))
    AS e (position, account, amount_minor);
