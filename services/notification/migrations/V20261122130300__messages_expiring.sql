-- Outside of a transaction.
-- What waits and ends at a time, whoever works its sender.
CREATE INDEX CONCURRENTLY IF NOT EXISTS messages_expiring ON notification.messages (expires_at)
    WHERE state = 'queued' AND expires_at IS NOT NULL;
