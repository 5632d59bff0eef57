-- Outside of a transaction.
-- Doubt is resolved tenant by tenant. Next to nothing is written for it: few messages are ever unknown. It is built while
-- messages are written: reading all of them may take long.
CREATE INDEX CONCURRENTLY IF NOT EXISTS messages_unknown_of_tenant
    ON notification.messages (tenant_id, due_at, id) WHERE state = 'unknown';
