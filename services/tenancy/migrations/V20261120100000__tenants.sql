-- A tenant's own row is visible to the tenant alone; the platform's lists go through the system login.
CREATE TABLE tenancy.tenants (
    tenant_id    uuid        NOT NULL PRIMARY KEY
        CHECK (tenant_id <> '00000000-0000-0000-0000-000000000000'),
    slug         text        NOT NULL,
    name         text        NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    admin_email  text        NOT NULL,
    status       text        NOT NULL
        CHECK (status IN ('provisioning', 'active', 'suspended', 'deleting')),
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL
);

SELECT plaza.tenant_table('tenancy.tenants');
SELECT plaza.system_may('tenancy.tenants', 'SELECT');

-- Slugs are unique over all tenants. A unique key on the tenant's table would tell one tenant of another's slug
-- through its own policy, so the names have a table of their own that holds nothing else.
CREATE TABLE tenancy.slugs (
    slug   text NOT NULL PRIMARY KEY
        CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    holder uuid NOT NULL
);

SELECT plaza.global_table('tenancy.slugs');
GRANT SELECT ON tenancy.slugs TO plaza_tenancy_system;
