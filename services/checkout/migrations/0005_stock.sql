-- The journal becomes the only door to the stock: a row of it is the change. Stock falls short of nothing it says.

ALTER TABLE stock
    ALTER COLUMN on_hand SET DEFAULT 0,
    ADD COLUMN low_at bigint NOT NULL DEFAULT 0 CHECK (low_at >= 0),
    ADD COLUMN changes bigint NOT NULL DEFAULT 0 CHECK (changes >= 0);
COMMENT ON COLUMN stock.low_at IS 'So many available pieces, or fewer, are few: the crossing is announced. 0: only selling out is.';
COMMENT ON COLUMN stock.changes IS 'How many rows its journal has: the number of the latest.';

ALTER TABLE stock_journal
    DROP CONSTRAINT stock_journal_reason_check,
    ADD COLUMN number bigint,
    ADD COLUMN available_after bigint CHECK (available_after >= 0),
    ADD COLUMN actor text NOT NULL DEFAULT 'checkout' CHECK (length(actor) BETWEEN 1 AND 200),
    ADD COLUMN note text CHECK (length(note) <= 500);

UPDATE stock_journal j SET number = n.number, available_after = n.available_after FROM (
    SELECT id, row_number() OVER w AS number, sum(on_hand_change - reserved_change) OVER w AS available_after
    FROM stock_journal WINDOW w AS (PARTITION BY sku ORDER BY at, id ROWS UNBOUNDED PRECEDING)) n WHERE n.id = j.id;
UPDATE stock s SET changes = (SELECT count(*) FROM stock_journal j WHERE j.sku = s.sku);

ALTER TABLE stock_journal
    ALTER COLUMN number SET NOT NULL,
    ALTER COLUMN available_after SET NOT NULL,
    ADD CONSTRAINT stock_journal_numbered UNIQUE (sku, number),
    ADD CONSTRAINT stock_journal_changes_something CHECK (on_hand_change <> 0 OR reserved_change <> 0),
    ADD CONSTRAINT stock_journal_reason_fits CHECK (
        CASE reason
            WHEN 'reserved' THEN on_hand_change = 0 AND reserved_change > 0 AND order_id IS NOT NULL
            WHEN 'released' THEN on_hand_change = 0 AND reserved_change < 0 AND order_id IS NOT NULL
            WHEN 'sold' THEN on_hand_change < 0 AND on_hand_change = reserved_change AND order_id IS NOT NULL
            WHEN 'recount' THEN reserved_change = 0
            WHEN 'adjusted' THEN reserved_change = 0
            WHEN 'damage' THEN reserved_change = 0 AND on_hand_change < 0
            WHEN 'loss' THEN reserved_change = 0 AND on_hand_change < 0
            WHEN 'import' THEN reserved_change = 0 AND on_hand_change > 0
            WHEN 'return' THEN reserved_change = 0 AND on_hand_change > 0
            WHEN 'delivery' THEN reserved_change = 0 AND on_hand_change > 0
            ELSE false
        END);
DROP INDEX stock_journal_sku;  -- the unique constraint serves
COMMENT ON COLUMN stock_journal.number IS 'Counts the changes of a SKU without gaps, in the order in which they took effect.';

-- An order takes, sells and gives back each SKU once, whatever runs twice.
CREATE UNIQUE INDEX stock_journal_once_an_order ON stock_journal (order_id, sku, reason) WHERE order_id IS NOT NULL;
DROP INDEX stock_journal_order;

CREATE FUNCTION apply_to_stock() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = {{schema}} AS $$
BEGIN
    -- A statement of its own, so it sees what others committed while it waited for the row.
    UPDATE stock SET on_hand = on_hand + NEW.on_hand_change, reserved = reserved + NEW.reserved_change,
                     changes = changes + 1
    WHERE sku = NEW.sku AND on_hand + NEW.on_hand_change >= reserved + NEW.reserved_change
        AND reserved + NEW.reserved_change >= 0
    RETURNING changes, on_hand - reserved INTO NEW.number, NEW.available_after;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'stock of % cannot change like this', NEW.sku
            USING ERRCODE = 'check_violation', CONSTRAINT = 'stock_not_oversold', DETAIL = NEW.sku;
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION apply_to_stock IS 'Makes the change that a journal row says, or refuses both.';
CREATE TRIGGER apply_to_stock BEFORE INSERT ON stock_journal FOR EACH ROW EXECUTE FUNCTION apply_to_stock();

CREATE FUNCTION refuse_change_of_journal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the stock journal is append-only: insert a row that puts it right'
        USING ERRCODE = 'insufficient_privilege';
END $$;
COMMENT ON FUNCTION refuse_change_of_journal IS 'Keeps even the owner from changing the journal by accident.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON stock_journal
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_journal();

CREATE FUNCTION refuse_change_of_stock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'stock is changed through its journal only: insert a row there, with its reason'
        USING ERRCODE = 'insufficient_privilege';
END $$;
COMMENT ON FUNCTION refuse_change_of_stock IS 'Keeps even the owner from changing stock behind the journal''s back.';
CREATE TRIGGER only_by_its_journal BEFORE UPDATE OF sku, on_hand, reserved, changes ON stock
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION refuse_change_of_stock();
CREATE TRIGGER starts_empty BEFORE INSERT ON stock
    FOR EACH ROW WHEN (NEW.on_hand <> 0 OR NEW.reserved <> 0 OR NEW.changes <> 0)
    EXECUTE FUNCTION refuse_change_of_stock();

REVOKE UPDATE (reserved) ON stock FROM {{prefix}}_checkout_request;
REVOKE INSERT, UPDATE ON stock FROM {{prefix}}_checkout_worker;
GRANT INSERT (sku, low_at), UPDATE (low_at) ON stock TO {{prefix}}_checkout_worker;
GRANT SELECT (sku, on_hand_change, reserved_change, number, available_after) ON stock_journal
    TO {{prefix}}_checkout_request;

-- What was true before must be true now, or nothing of this is applied.
DO $$
DECLARE
    wrong text;
BEGIN
    SELECT string_agg(s.sku, ', ') INTO wrong FROM stock s LEFT JOIN (
        SELECT sku, sum(on_hand_change) AS on_hand, sum(reserved_change) AS reserved FROM stock_journal GROUP BY sku) j
        USING (sku)
    WHERE (s.on_hand, s.reserved) IS DISTINCT FROM (coalesce(j.on_hand, 0), coalesce(j.reserved, 0));
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'stock and journal differ for %: journal the difference, then migrate again', wrong;
    END IF;
END $$;

-- Variants can leave the shop one by one; open orders keep theirs.
ALTER TABLE variants ADD COLUMN active boolean NOT NULL DEFAULT true;
