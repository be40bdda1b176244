-- Every transaction of the ledger sums to zero in every currency.
SELECT e.transaction_id || ': ' || e.currency || ' ' || sum(e.amount_minor) AS what
FROM checkout.ledger_entries e GROUP BY e.transaction_id, e.currency HAVING sum(e.amount_minor) <> 0
