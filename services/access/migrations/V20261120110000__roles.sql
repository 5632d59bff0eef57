-- Which product areas a tenant has. What a member may do is the meeting of these with the member's roles.
CREATE TABLE access.menus (
    tenant_id uuid     NOT NULL,
    menu      text     NOT NULL,
    position  smallint NOT NULL,
    PRIMARY KEY (tenant_id, menu)
);
SELECT plaza.tenant_table('access.menus');

CREATE TABLE access.roles (
    tenant_id   uuid        NOT NULL,
    id          uuid        NOT NULL,
    name        text        NOT NULL CHECK (length(name) BETWEEN 1 AND 60),
    -- The name as it is compared: lower case, letters and digits only.
    name_norm   text        NOT NULL,
    -- The default role it was made from; null for a tenant's own.
    template    text        CHECK (template IN ('administrator', 'editor', 'viewer')),
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT roles_name_key UNIQUE (tenant_id, name_norm),
    CONSTRAINT roles_template_key UNIQUE (tenant_id, template)
);
SELECT plaza.tenant_table('access.roles');

CREATE TABLE access.role_permissions (
    tenant_id uuid NOT NULL,
    role_id   uuid NOT NULL,
    menu      text NOT NULL,
    action    text NOT NULL,
    PRIMARY KEY (tenant_id, role_id, menu, action),
    FOREIGN KEY (tenant_id, role_id) REFERENCES access.roles (tenant_id, id) ON DELETE CASCADE
);
SELECT plaza.tenant_table('access.role_permissions');

CREATE TABLE access.assignments (
    tenant_id  uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    role_id    uuid        NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, user_id, role_id),
    CONSTRAINT assignments_role_fkey
        FOREIGN KEY (tenant_id, role_id) REFERENCES access.roles (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX assignments_role ON access.assignments (tenant_id, role_id);
SELECT plaza.tenant_table('access.assignments');

-- Raised in the transaction that changes a grant, so that a cached answer of an earlier version is never used again.
CREATE TABLE access.versions (
    tenant_id uuid   NOT NULL PRIMARY KEY,
    version   bigint NOT NULL
);
SELECT plaza.tenant_table('access.versions');
