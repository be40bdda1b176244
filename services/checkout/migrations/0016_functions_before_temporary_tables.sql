-- A search path that doesn't name pg_temp has it at its front: a temporary table `stock` came before ours, and what its
-- triggers did, apply_to_stock did as the owner. Functions with their caller's rights keep their word by the same token.

ALTER FUNCTION apply_to_stock() SET search_path = {{schema}}, pg_temp;
ALTER FUNCTION refunds_within_payment() SET search_path = {{schema}}, pg_temp;
ALTER FUNCTION ledger_balances() SET search_path = {{schema}}, pg_temp;
ALTER FUNCTION check_lines_add_up() SET search_path = {{schema}}, pg_temp;
ALTER FUNCTION pieces_within_order() SET search_path = {{schema}}, pg_temp;
