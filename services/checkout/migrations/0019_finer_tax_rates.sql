-- Tax rates in millionths: New York City's 8.875 % is no whole number of basis points.

ALTER TABLE tax_rates ADD COLUMN millionths integer CHECK (millionths BETWEEN 0 AND 1000000);
UPDATE tax_rates SET millionths = basis_points * 100;
ALTER TABLE tax_rates ALTER COLUMN millionths SET NOT NULL;
-- A process of the version before goes on reading what it knows, to the nearest basis point, until it is stopped.
ALTER TABLE tax_rates DROP COLUMN basis_points;
ALTER TABLE tax_rates ADD COLUMN basis_points integer GENERATED ALWAYS AS ((millionths + 50) / 100) STORED;
COMMENT ON TABLE tax_rates IS
    'Tax by destination and class, in millionths; included says whether our prices contain it. No row: no tax.';
COMMENT ON COLUMN tax_rates.basis_points IS 'For processes of an older version; nothing reads it any more.';

-- NULL in the lines of before, which have basis points: to fill it in would rewrite every line there is.
ALTER TABLE order_lines ADD COLUMN tax_millionths integer;
ALTER TABLE order_lines ADD CONSTRAINT order_lines_tax_millionths_check
    CHECK (tax_millionths BETWEEN 0 AND 1000000) NOT VALID;
COMMENT ON COLUMN order_lines.tax_millionths IS 'The rate of the line; where it is NULL, tax_basis_points tells.';
