-- Outside of a transaction.
CREATE INDEX CONCURRENTLY IF NOT EXISTS campaigns_scheduled ON broadcast.campaigns (tenant_id, schedule_at, id)
    WHERE state = 'scheduled';
