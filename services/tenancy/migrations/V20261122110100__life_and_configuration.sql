-- What has happened to a tenant; its status follows from it. `status` stays what everybody reads.
ALTER TABLE tenancy.tenants
    ADD COLUMN version      bigint NOT NULL DEFAULT 1,
    ADD COLUMN activated_at timestamptz,
    ADD COLUMN suspended_at timestamptz,
    -- When the days of grace end.
    ADD COLUMN delete_after timestamptz,
    ADD COLUMN deleted_at   timestamptz,
    DROP CONSTRAINT tenants_status_check,
    ADD CONSTRAINT tenants_status_check
        CHECK (status IN ('provisioning', 'active', 'suspended', 'deleting', 'deleted')) NOT VALID;

-- The policies hold for the owner too, who is no tenant: without NO FORCE not one row would be seen, and with
-- row_security off that is an error instead of nothing.
ALTER TABLE tenancy.tenants NO FORCE ROW LEVEL SECURITY;

DO $$
DECLARE
    there   bigint;
    written bigint;
BEGIN
    SET LOCAL row_security = off;
    SELECT count(*) INTO there FROM tenancy.tenants;
    UPDATE tenancy.tenants
       SET activated_at = CASE WHEN status <> 'provisioning' THEN updated_at END,
           suspended_at = CASE WHEN status = 'suspended' THEN updated_at END,
           delete_after = CASE WHEN status = 'deleting' THEN updated_at + interval '30 days' END;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written <> there THEN
        RAISE EXCEPTION '% of % tenants', written, there;
    END IF;
    SET LOCAL row_security = on;
END
$$;

ALTER TABLE tenancy.tenants FORCE ROW LEVEL SECURITY;

-- What a tenant decides about how Plaza works for it. `version` counts the changes of the tenant's whole configuration: a
-- namespace has the number of the change in which it was changed last.
CREATE TABLE tenancy.configuration (
    tenant_id  uuid        NOT NULL,
    namespace  text        NOT NULL CHECK (length(namespace) BETWEEN 1 AND 40),
    version    bigint      NOT NULL,
    document   jsonb       NOT NULL,
    updated_at timestamptz NOT NULL,
    -- Who said it; none for a service of ours.
    updated_by uuid,
    PRIMARY KEY (tenant_id, namespace)
);
SELECT plaza.tenant_table('tenancy.configuration');

-- What a tenant entrusts to Plaza and nobody is ever shown again. `id` is the place that the value is sealed for.
CREATE TABLE tenancy.secrets (
    tenant_id  uuid        NOT NULL,
    namespace  text        NOT NULL CHECK (length(namespace) BETWEEN 1 AND 40),
    key        text        NOT NULL CHECK (length(key) BETWEEN 1 AND 64),
    id         uuid        NOT NULL,
    sealed     text        NOT NULL,
    -- The last four characters of a value that is long enough to spare them; empty otherwise.
    hint       text        NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, namespace, key),
    CONSTRAINT secrets_id_key UNIQUE (tenant_id, id)
);
SELECT plaza.tenant_table('tenancy.secrets');
