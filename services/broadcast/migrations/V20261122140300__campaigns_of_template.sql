-- Outside of a transaction.
CREATE INDEX CONCURRENTLY IF NOT EXISTS campaigns_of_template ON broadcast.campaigns (tenant_id, template_id)
    WHERE state IN ('draft', 'scheduled');
