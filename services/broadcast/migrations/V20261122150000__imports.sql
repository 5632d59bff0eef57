-- Workbooks, dry runs, and imports that somebody ends.
ALTER TABLE broadcast.imports
    ADD COLUMN dry_run boolean NOT NULL DEFAULT false,
    ADD COLUMN format text,
    ADD COLUMN started_at timestamptz,
    ADD COLUMN cancelled_at timestamptz,
    ADD COLUMN created bigint NOT NULL DEFAULT 0,
    ADD COLUMN updated bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT imports_format_check CHECK (format IN ('csv', 'xlsx')) NOT VALID,
    DROP CONSTRAINT imports_state_check,
    ADD CONSTRAINT imports_state_check
        CHECK (state IN ('uploaded', 'running', 'done', 'done_with_errors', 'failed', 'cancelled')) NOT VALID;

-- The numbers that a dry run has seen: it writes no recipients, by which an import recognises them. They go when it ends.
CREATE TABLE broadcast.import_numbers (
    tenant_id uuid NOT NULL,
    import_id uuid NOT NULL,
    phone     text NOT NULL,
    PRIMARY KEY (tenant_id, import_id, phone),
    FOREIGN KEY (tenant_id, import_id) REFERENCES broadcast.imports (tenant_id, id)
);
SELECT plaza.tenant_table('broadcast.import_numbers');
SELECT plaza.system_may('broadcast.import_numbers', 'SELECT');
