-- An operator may have letters sent again that were refused or expired: they are then due anew, with time left.

GRANT UPDATE (expires_at) ON letters TO {{prefix}}_notifier_worker;
