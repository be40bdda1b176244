-- What decides a product's tax and what it costs to send.

ALTER TABLE products ADD COLUMN tax_class text NOT NULL DEFAULT 'standard' CHECK (tax_class ~ '^[a-z0-9_-]{1,40}$');
ALTER TABLE variants ADD COLUMN weight_grams bigint NOT NULL DEFAULT 0 CHECK (weight_grams BETWEEN 0 AND 1000000);
COMMENT ON COLUMN products.tax_class IS 'Which of a country''s rates applies; what has no rate of its own is taxed as standard.';

-- A price can be taken away: then the variant is not sold in that currency any more.
GRANT DELETE ON prices TO {{prefix}}_checkout_worker;
