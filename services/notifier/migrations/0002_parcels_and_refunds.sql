-- Two more kinds of mails: a parcel is on its way, money was given back.

ALTER TABLE letters
    DROP CONSTRAINT letters_kind_check,
    ADD CONSTRAINT letters_kind_check
        CHECK (kind IN ('order_confirmation', 'payment_failed', 'order_shipped', 'order_refunded'));
