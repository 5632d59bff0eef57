-- A change of a role says which version it is made to.
ALTER TABLE access.roles
    ADD COLUMN version    bigint NOT NULL DEFAULT 1,
    ADD COLUMN updated_at timestamptz;

-- Product areas that came after the tenants: those that are there get them as new ones do. The policies hold for the
-- owner too, who is no tenant: without NO FORCE not one row would be seen, and with row_security off that is an error
-- instead of nothing.
ALTER TABLE access.versions NO FORCE ROW LEVEL SECURITY;
ALTER TABLE access.menus NO FORCE ROW LEVEL SECURITY;

DO $$
DECLARE
    tenants bigint;
    written bigint;
BEGIN
    SET LOCAL row_security = off;
    SELECT count(*) INTO tenants FROM access.versions;
    INSERT INTO access.menus (tenant_id, menu, position)
    SELECT v.tenant_id, m.menu, m.position
      FROM access.versions v
     CROSS JOIN (VALUES ('audit', 9), ('conversations', 10), ('messages', 11)) AS m (menu, position);
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written <> 3 * tenants THEN
        RAISE EXCEPTION '% menus for % tenants', written, tenants;
    END IF;
    -- What is known of grants elsewhere is of the time before.
    UPDATE access.versions SET version = version + 1;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written <> tenants THEN
        RAISE EXCEPTION '% versions of % tenants', written, tenants;
    END IF;
    SET LOCAL row_security = on;
END
$$;

ALTER TABLE access.versions FORCE ROW LEVEL SECURITY;
ALTER TABLE access.menus FORCE ROW LEVEL SECURITY;

-- Tenants that come after this, but are provisioned by a program from before it, which knows of no such product areas: the first
-- row of a tenant brings them. A newer program turns them on itself, and finds them.
CREATE FUNCTION access.add_new_menus() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO access.menus (tenant_id, menu, position)
    VALUES (NEW.tenant_id, 'audit', 9), (NEW.tenant_id, 'conversations', 10), (NEW.tenant_id, 'messages', 11)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
CREATE TRIGGER versions_add_new_menus AFTER INSERT ON access.versions
    FOR EACH ROW EXECUTE FUNCTION access.add_new_menus();
