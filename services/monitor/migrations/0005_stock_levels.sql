-- How much of each SKU there is, as far as anybody crossed a level.

CREATE TABLE stock_levels (
    sku        text PRIMARY KEY CHECK (length(sku) <= 100),
    number     bigint NOT NULL,
    level      text NOT NULL CHECK (level IN ('enough', 'low', 'out')),
    available  bigint NOT NULL,
    changed_at timestamptz NOT NULL
);
COMMENT ON TABLE stock_levels IS 'The latest level that each SKU crossed; number tells later from earlier, whatever order events come in.';
CREATE INDEX stock_levels_short ON stock_levels (changed_at) WHERE level <> 'enough';

GRANT SELECT, INSERT, UPDATE ON stock_levels TO {{prefix}}_monitor_worker;
GRANT SELECT ON stock_levels TO {{prefix}}_auditor;
