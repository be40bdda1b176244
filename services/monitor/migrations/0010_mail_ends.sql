-- What the rule of lost mails counts every few seconds, without reading the table.

CREATE INDEX seen_events_mail_ends ON seen_events (seen_at, type)
    WHERE type IN ('mail.accepted', 'mail.refused', 'mail.unknown');
