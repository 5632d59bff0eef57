-- Expand only: the program before this one must still run on it.

-- The trace that a message was asked for in: W3C Trace Context, `traceparent`. What the sender does for it goes on there.
ALTER TABLE notification.messages ADD COLUMN traceparent text;

-- Which senders nobody works is looked up over all tenants.
SELECT plaza.system_may('notification.sender_leases', 'SELECT');
