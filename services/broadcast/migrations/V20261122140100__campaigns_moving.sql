-- Outside of a transaction.
CREATE INDEX CONCURRENTLY IF NOT EXISTS campaigns_moving ON broadcast.campaigns (tenant_id, updated_at, id)
    WHERE state IN ('pausing', 'resuming', 'cancelling');
