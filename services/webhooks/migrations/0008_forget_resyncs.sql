-- Who asked for what, and why, also stands in the audit trail; here it is forgotten a while after the wish has ended.
GRANT DELETE ON resyncs TO {{prefix}}_webhooks_worker;
