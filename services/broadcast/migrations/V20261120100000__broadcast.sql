-- Recipients: whom a tenant may write to. A number is unique per tenant; people known by the tenant's own id alone
-- have none. `import_id` and `import_row` name the import that wrote the row last: that is how an import recognises
-- a number it has already seen, without keeping numbers in memory.
CREATE TABLE broadcast.recipients (
    tenant_id      uuid        NOT NULL,
    id             uuid        NOT NULL,
    phone          text        CHECK (phone ~ '^\+[1-9][0-9]{4,14}$'),
    external_id    text,
    name           text,
    country        text        CHECK (country ~ '^[A-Z]{2}$'),
    timezone       text,
    locale         text,
    attrs          jsonb       NOT NULL DEFAULT '{}',
    consent        text        NOT NULL CHECK (consent IN ('granted', 'refused', 'unknown')),
    consent_source text,
    consent_at     timestamptz,
    import_id      uuid,
    import_row     bigint,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT recipients_phone_key UNIQUE (tenant_id, phone),
    CONSTRAINT recipients_known_by_something CHECK (phone IS NOT NULL OR external_id IS NOT NULL)
);
CREATE INDEX recipients_of_import ON broadcast.recipients (tenant_id, import_id, id);
CREATE INDEX recipients_of_country ON broadcast.recipients (tenant_id, country, id);
SELECT plaza.tenant_table('broadcast.recipients');

-- Imports: an uploaded file and how far it has been read. `bytes_done` and `rows_done` move in the transaction that
-- writes the recipients of the same rows.
CREATE TABLE broadcast.imports (
    tenant_id    uuid        NOT NULL,
    id           uuid        NOT NULL,
    state        text        NOT NULL CHECK (state IN ('uploaded', 'running', 'done', 'done_with_errors', 'failed')),
    requested    jsonb       NOT NULL,
    layout       jsonb,
    bytes_total  bigint      NOT NULL,
    bytes_done   bigint      NOT NULL DEFAULT 0,
    rows_done    bigint      NOT NULL DEFAULT 0,
    valid        bigint      NOT NULL DEFAULT 0,
    duplicate    bigint      NOT NULL DEFAULT 0,
    missing      bigint      NOT NULL DEFAULT 0,
    invalid      bigint      NOT NULL DEFAULT 0,
    damaged      bigint      NOT NULL DEFAULT 0,
    error_code   text,
    error_row    bigint,
    error_text   text,
    attempts     integer     NOT NULL DEFAULT 0,
    lease_token  uuid,
    lease_until  timestamptz,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    finished_at  timestamptz,
    PRIMARY KEY (tenant_id, id)
);
-- Two imports of one tenant at once would not know each other's numbers apart.
CREATE UNIQUE INDEX imports_one_running ON broadcast.imports (tenant_id) WHERE state = 'running';
CREATE INDEX imports_open ON broadcast.imports (updated_at) WHERE state IN ('uploaded', 'running');
SELECT plaza.tenant_table('broadcast.imports');
SELECT plaza.system_may('broadcast.imports', 'SELECT, UPDATE');

-- Rows of an import that made no recipient.
CREATE TABLE broadcast.import_errors (
    tenant_id uuid   NOT NULL,
    import_id uuid   NOT NULL,
    row       bigint NOT NULL,
    class     text   NOT NULL CHECK (class IN ('duplicate', 'missing_phone', 'invalid_phone', 'damaged_by_spreadsheet')),
    value     text   NOT NULL,
    PRIMARY KEY (tenant_id, import_id, row),
    FOREIGN KEY (tenant_id, import_id) REFERENCES broadcast.imports (tenant_id, id)
);
SELECT plaza.append_only_tenant_table('broadcast.import_errors');

CREATE TABLE broadcast.templates (
    tenant_id  uuid        NOT NULL,
    id         uuid        NOT NULL,
    name       text        NOT NULL CHECK (name ~ '^[a-z0-9_]+$' AND length(name) <= 512),
    language   text        NOT NULL,
    category   text        NOT NULL CHECK (category IN ('MARKETING', 'UTILITY', 'AUTHENTICATION')),
    body       text        NOT NULL,
    variables  jsonb       NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT templates_name_key UNIQUE (tenant_id, name, language)
);
SELECT plaza.tenant_table('broadcast.templates');

-- Campaigns. `frozen` is the template as it was when sending began; `cursor` is the last recipient that was planned
-- and moves in the transaction that writes the plan rows; `snapshot` is the last recipient there was at the start.
CREATE TABLE broadcast.campaigns (
    tenant_id   uuid        NOT NULL,
    id          uuid        NOT NULL,
    name        text        NOT NULL,
    template_id uuid        NOT NULL,
    sender_id   uuid,
    class       text        NOT NULL CHECK (class IN ('marketing', 'utility', 'authentication')),
    audience    jsonb       NOT NULL,
    state       text        NOT NULL CHECK (state IN ('draft', 'planning', 'running', 'completed', 'failed')),
    planned     jsonb       NOT NULL DEFAULT '{}',
    frozen      jsonb,
    snapshot    uuid,
    cursor      uuid,
    shards      integer     NOT NULL DEFAULT 0,
    attempts    integer     NOT NULL DEFAULT 0,
    lease_token uuid,
    lease_until timestamptz,
    checked_at  timestamptz,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, template_id) REFERENCES broadcast.templates (tenant_id, id)
);
CREATE INDEX campaigns_planning ON broadcast.campaigns (updated_at) WHERE state = 'planning';
CREATE INDEX campaigns_running ON broadcast.campaigns (checked_at) WHERE state = 'running';
SELECT plaza.tenant_table('broadcast.campaigns');
SELECT plaza.system_may('broadcast.campaigns', 'SELECT, UPDATE');

-- One row per recipient of a campaign, never changed. What becomes of the message is notification's to know.
CREATE TABLE broadcast.plan (
    tenant_id    uuid        NOT NULL,
    campaign_id  uuid        NOT NULL,
    recipient_id uuid        NOT NULL,
    reason       text        NOT NULL
                 CHECK (reason IN ('send', 'no_consent', 'suppressed', 'duplicate', 'no_phone', 'missing_value')),
    message_id   uuid,
    planned_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, campaign_id, recipient_id),
    FOREIGN KEY (tenant_id, campaign_id) REFERENCES broadcast.campaigns (tenant_id, id),
    CONSTRAINT plan_message_key UNIQUE (tenant_id, message_id),
    CHECK ((reason = 'send') = (message_id IS NOT NULL))
);
CREATE INDEX plan_by_reason ON broadcast.plan (tenant_id, campaign_id, reason, recipient_id);
CREATE INDEX plan_excluded ON broadcast.plan (tenant_id, campaign_id, recipient_id) WHERE reason <> 'send';
SELECT plaza.append_only_tenant_table('broadcast.plan');
