-- No piece is sent that was not bought, or that was refunded before it was sent.
SELECT o.number || ' line ' || p.position || ': ' || p.sent || ' sent and ' || p.withdrawn || ' withdrawn of '
    || p.ordered AS what
FROM checkout.order_pieces p JOIN checkout.orders o ON o.id = p.order_id
WHERE p.sent + p.withdrawn > p.ordered
