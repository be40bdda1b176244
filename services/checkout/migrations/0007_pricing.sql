-- Delivery, tax, and of what the total of an order is made.

CREATE TABLE shipping_zones (
    id   text PRIMARY KEY CHECK (id ~ '^[a-z0-9-]{1,40}$'),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100)
);
COMMENT ON TABLE shipping_zones IS 'Countries that cost the same to send to. A shop without any sends everywhere, delivery included.';

CREATE TABLE shipping_countries (
    country text PRIMARY KEY CHECK (country ~ '^([A-Z]{2}|\*)$'),
    zone_id text NOT NULL REFERENCES shipping_zones
);
COMMENT ON TABLE shipping_countries IS 'Which zone a country is in; * is every country that is not named.';

CREATE TABLE shipping_methods (
    zone_id   text NOT NULL REFERENCES shipping_zones,
    id        text NOT NULL CHECK (id ~ '^[a-z0-9-]{1,40}$'),
    name      text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    position  integer NOT NULL,
    basis     text NOT NULL CHECK (basis IN ('total', 'weight')),
    tax_class text NOT NULL DEFAULT 'standard',
    PRIMARY KEY (zone_id, id)
);
COMMENT ON TABLE shipping_methods IS 'Ways of delivery within a zone; the first is taken when the customer chooses none.';

CREATE TABLE shipping_rates (
    zone_id     text NOT NULL,
    method_id   text NOT NULL,
    currency    text NOT NULL CHECK (currency ~ '^[a-z]{3}$'),
    starts_at   bigint NOT NULL CHECK (starts_at >= 0),
    price_minor bigint NOT NULL CHECK (price_minor >= 0),
    PRIMARY KEY (zone_id, method_id, currency, starts_at),
    FOREIGN KEY (zone_id, method_id) REFERENCES shipping_methods
);
COMMENT ON TABLE shipping_rates IS
    'What a method costs from so many grams, or minor units of goods, on. Free above an amount is a rate of 0 there.';

CREATE TABLE shipping_free_above (
    zone_id       text NOT NULL,
    method_id     text NOT NULL,
    currency      text NOT NULL CHECK (currency ~ '^[a-z]{3}$'),
    subtotal_minor bigint NOT NULL CHECK (subtotal_minor >= 0),
    PRIMARY KEY (zone_id, method_id, currency),
    FOREIGN KEY (zone_id, method_id) REFERENCES shipping_methods
);
COMMENT ON TABLE shipping_free_above IS 'From which amount of goods on a method is free, whatever its rates say.';

CREATE TABLE tax_rates (
    country      text NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
    region       text NOT NULL DEFAULT '' CHECK (region ~ '^[A-Z0-9]{0,3}$'),
    tax_class    text NOT NULL CHECK (tax_class ~ '^[a-z0-9_-]{1,40}$'),
    basis_points integer NOT NULL CHECK (basis_points BETWEEN 0 AND 10000),
    included     boolean NOT NULL,
    PRIMARY KEY (country, region, tax_class)
);
COMMENT ON TABLE tax_rates IS
    'Tax by destination and class, in hundredths of a percent; included says whether our prices contain it. No row: no tax.';

ALTER TABLE orders
    ADD COLUMN subtotal_minor bigint,
    ADD COLUMN shipping_minor bigint NOT NULL DEFAULT 0 CHECK (shipping_minor >= 0),
    ADD COLUMN tax_minor bigint NOT NULL DEFAULT 0 CHECK (tax_minor >= 0),
    ADD COLUMN tax_added_minor bigint NOT NULL DEFAULT 0 CHECK (tax_added_minor >= 0),
    ADD COLUMN shipping_tax_minor bigint NOT NULL DEFAULT 0 CHECK (shipping_tax_minor >= 0),
    ADD COLUMN shipping_tax_included boolean NOT NULL DEFAULT true,
    ADD COLUMN shipping_method text NOT NULL DEFAULT 'standard',
    ADD COLUMN shipping_name text NOT NULL DEFAULT 'Delivery';
UPDATE orders SET subtotal_minor = total_minor;
ALTER TABLE orders
    ALTER COLUMN subtotal_minor SET NOT NULL,
    ADD CONSTRAINT orders_subtotal_is_positive CHECK (subtotal_minor > 0),
    ADD CONSTRAINT orders_parts_add_up CHECK (total_minor = subtotal_minor + shipping_minor + tax_added_minor),
    ADD CONSTRAINT orders_added_tax_is_part_of_all CHECK (tax_added_minor <= tax_minor);

ALTER TABLE order_lines
    ADD COLUMN tax_minor bigint NOT NULL DEFAULT 0 CHECK (tax_minor >= 0),
    ADD COLUMN tax_basis_points integer NOT NULL DEFAULT 0 CHECK (tax_basis_points BETWEEN 0 AND 10000),
    ADD COLUMN tax_included boolean NOT NULL DEFAULT true;

CREATE FUNCTION check_lines_add_up() RETURNS trigger LANGUAGE plpgsql SET search_path = {{schema}} AS $$
DECLARE
    goods record;
BEGIN
    SELECT count(*) AS lines, sum(line_total_minor) AS subtotal, sum(tax_minor) AS tax,
           coalesce(sum(tax_minor) FILTER (WHERE NOT tax_included), 0) AS added
    INTO goods FROM order_lines WHERE order_id = NEW.id;
    IF goods.lines > 0 AND (goods.subtotal, goods.tax + NEW.shipping_tax_minor,
            goods.added + CASE WHEN NEW.shipping_tax_included THEN 0 ELSE NEW.shipping_tax_minor END)
        IS DISTINCT FROM (NEW.subtotal_minor, NEW.tax_minor, NEW.tax_added_minor) THEN
        RAISE EXCEPTION 'the lines of order % do not add up to its amounts', NEW.number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'orders_lines_add_up';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION check_lines_add_up IS 'Compares an order with its lines when its transaction ends; neither changes afterwards.';
CREATE CONSTRAINT TRIGGER lines_add_up AFTER INSERT OR UPDATE OF subtotal_minor, tax_minor, tax_added_minor, shipping_tax_minor
    ON orders DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_lines_add_up();

GRANT SELECT ON shipping_zones, shipping_countries, shipping_methods, shipping_rates, shipping_free_above, tax_rates
    TO {{prefix}}_checkout_request, {{prefix}}_auditor;
GRANT SELECT, INSERT, DELETE ON
    shipping_zones, shipping_countries, shipping_methods, shipping_rates, shipping_free_above, tax_rates
    TO {{prefix}}_checkout_worker;
