-- Orders that wait for a person.

CREATE TABLE held_orders (
    order_id    uuid PRIMARY KEY,
    number      text NOT NULL CHECK (length(number) BETWEEN 1 AND 100),
    reason      text CHECK (length(reason) BETWEEN 1 AND 100),
    fulfilment  text NOT NULL CHECK (length(fulfilment) <= 100),
    since       timestamptz NOT NULL,
    occurred_at timestamptz NOT NULL,
    event_id    uuid NOT NULL
);
COMMENT ON TABLE held_orders IS 'What checkout last said of each order that was ever held; no personal data.';
COMMENT ON COLUMN held_orders.reason IS 'Why it is held; empty once it was released.';
COMMENT ON COLUMN held_orders.since IS 'Since when it is held for that reason, or released.';
COMMENT ON COLUMN held_orders.occurred_at IS 'Of the latest event about it: it tells later from earlier, whatever order events come in.';
CREATE INDEX held_orders_held ON held_orders (since) WHERE reason IS NOT NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON held_orders TO {{prefix}}_monitor_worker;
GRANT SELECT ON held_orders TO {{prefix}}_auditor;
