-- Expand only: the program before this one must still run on it.

-- The trace that sending or importing was asked for in: W3C Trace Context, `traceparent`. Each turn at it goes on there.
ALTER TABLE broadcast.campaigns ADD COLUMN traceparent text;
ALTER TABLE broadcast.imports ADD COLUMN traceparent text;

-- Work is taken in rounds over the tenants: from one that has some to the next, and of each what waits longest.
CREATE INDEX campaigns_planning_of_tenant ON broadcast.campaigns (tenant_id, updated_at, id) WHERE state = 'planning';
CREATE INDEX campaigns_running_of_tenant ON broadcast.campaigns (tenant_id, checked_at NULLS FIRST, id)
    WHERE state = 'running';
CREATE INDEX imports_open_of_tenant ON broadcast.imports (tenant_id, updated_at, id)
    WHERE state IN ('uploaded', 'running');
