-- Outside of a transaction.
-- What met a certain failure, newest first. Most messages meet none and are not in it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS messages_with_error ON notification.messages (tenant_id, error_code, id)
    WHERE error_code IS NOT NULL;
