-- What all services write to, and the schema that staff accounts will live in.

CREATE TABLE audit.log (
    id          uuid PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    db_role     text NOT NULL DEFAULT session_user,
    service     text NOT NULL CHECK (length(service) <= 63),
    actor       text NOT NULL CHECK (length(actor) BETWEEN 1 AND 200),
    action      text NOT NULL CHECK (length(action) BETWEEN 1 AND 100),
    subject     text NOT NULL CHECK (length(subject) BETWEEN 1 AND 200),
    reason      text CHECK (length(reason) <= 2000),
    details     jsonb NOT NULL DEFAULT '{}' CHECK (octet_length(details::text) <= 16384),
    traceparent text
);
COMMENT ON TABLE audit.log IS 'Who did what to what, written in the transaction that did it; rows are never changed.';
CREATE INDEX log_subject ON audit.log (subject, at);

CREATE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
COMMENT ON FUNCTION audit.refuse_change IS 'Keeps even the owner from changing the audit log by accident.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.log FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON audit.log FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

GRANT USAGE ON SCHEMA audit TO
    {{prefix}}_checkout_worker, {{prefix}}_checkout_request, {{prefix}}_webhooks_worker, {{prefix}}_webhooks_request,
    {{prefix}}_notifier_worker, {{prefix}}_monitor_worker, {{prefix}}_auditor;
GRANT INSERT ON audit.log TO
    {{prefix}}_checkout_worker, {{prefix}}_checkout_request, {{prefix}}_webhooks_worker, {{prefix}}_webhooks_request,
    {{prefix}}_notifier_worker, {{prefix}}_monitor_worker;
GRANT SELECT ON audit.log TO {{prefix}}_auditor;
