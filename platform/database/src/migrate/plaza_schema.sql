-- Schema `plaza`: what migrations call to give a table its policies and grants. Run as plaza_owner, again and again.

REVOKE ALL ON SCHEMA plaza FROM PUBLIC;

-- What the schemas were brought to: helps a start that has nothing to do to be quick.
CREATE TABLE IF NOT EXISTS plaza.state (
    schema_name text PRIMARY KEY,
    fingerprint text NOT NULL
);

-- The login of the service that a table belongs to.
CREATE OR REPLACE FUNCTION plaza.service_role(target regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT 'plaza_' || n.nspname
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid = target
$$;

-- GRANT on a table and, where rows may be inserted, on the sequences of its columns.
CREATE OR REPLACE FUNCTION plaza.give(target regclass, privileges text, grantee text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    privilege text;
    sequence  regclass;
BEGIN
    FOREACH privilege IN ARRAY string_to_array(upper(privileges), ',') LOOP
        IF btrim(privilege) NOT IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE') THEN
            RAISE EXCEPTION 'no service may be granted % on %', btrim(privilege), target;
        END IF;
        EXECUTE format('GRANT %s ON TABLE %s TO %I', btrim(privilege), target, grantee);
    END LOOP;
    IF upper(privileges) LIKE '%INSERT%' THEN
        FOR sequence IN
            SELECT s.oid
              FROM pg_depend d
              JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
             WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
               AND d.refobjid = target AND d.deptype IN ('a', 'i')
        LOOP
            EXECUTE format('GRANT USAGE ON SEQUENCE %s TO %I', sequence, grantee);
        END LOOP;
    END IF;
END
$$;

-- Row-level security with a restrictive guard, so that no other policy can show a foreign row. The sub-select is
-- evaluated once for each statement; after a transaction the setting is '', not NULL.
CREATE OR REPLACE FUNCTION plaza.guard(target regclass, privileges text, comparison text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    service text := plaza.service_role(target);
    rule    text := format(
        'tenant_id %s (SELECT nullif(current_setting(''app.tenant_id'', true), '''')::uuid)', comparison);
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
    EXECUTE format('DROP POLICY IF EXISTS guard ON %s', target);
    EXECUTE format('CREATE POLICY guard ON %s AS RESTRICTIVE TO %I USING (%s) WITH CHECK (%s)',
                   target, service, rule, rule);
    EXECUTE format('DROP POLICY IF EXISTS allow ON %s', target);
    EXECUTE format('CREATE POLICY allow ON %s TO %I USING (true) WITH CHECK (true)', target, service);
    EXECUTE format('REVOKE ALL ON TABLE %s FROM %I', target, service);
    PERFORM plaza.give(target, privileges, service);
END
$$;

CREATE OR REPLACE FUNCTION plaza.guard_tenant_table(target regclass, privileges text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    PERFORM FROM pg_attribute
      WHERE attrelid = target AND attname = 'tenant_id' AND atttypid = 'uuid'::regtype AND attnotnull;
    IF NOT FOUND THEN
        RAISE EXCEPTION '% has no column tenant_id uuid NOT NULL', target;
    END IF;
    PERFORM FROM pg_index i
      JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
     WHERE i.indrelid = target AND i.indisunique AND a.attname = 'tenant_id';
    IF NOT FOUND THEN
        RAISE EXCEPTION '% has no key that leads with tenant_id', target;
    END IF;
    PERFORM plaza.guard(target, privileges, '=');
END
$$;

-- A table of tenants' rows: the service sees and writes those of one tenant.
CREATE OR REPLACE FUNCTION plaza.tenant_table(target regclass) RETURNS void
LANGUAGE sql AS $$ SELECT plaza.guard_tenant_table(target, 'SELECT, INSERT, UPDATE, DELETE') $$;

-- The same for rows that are never changed.
CREATE OR REPLACE FUNCTION plaza.append_only_tenant_table(target regclass) RETURNS void
LANGUAGE sql AS $$ SELECT plaza.guard_tenant_table(target, 'SELECT, INSERT') $$;

-- A table whose tenant_id is NULL for facts of the platform: the platform's scope sees those and no tenant's.
CREATE OR REPLACE FUNCTION plaza.scoped_table(target regclass, privileges text DEFAULT 'SELECT, INSERT') RETURNS void
LANGUAGE sql AS $$ SELECT plaza.guard(target, privileges, 'IS NOT DISTINCT FROM') $$;

-- A table without tenants: plain grants.
CREATE OR REPLACE FUNCTION plaza.global_table(target regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    PERFORM FROM pg_attribute WHERE attrelid = target AND attname = 'tenant_id' AND NOT attisdropped;
    IF FOUND THEN
        RAISE EXCEPTION '% has a column tenant_id: it is no global table', target;
    END IF;
    EXECUTE format('REVOKE ALL ON TABLE %s FROM %I', target, plaza.service_role(target));
    PERFORM plaza.give(target, 'SELECT, INSERT, UPDATE, DELETE', plaza.service_role(target));
END
$$;

-- What the system login may do, with the rows of all tenants. Several calls add up.
CREATE OR REPLACE FUNCTION plaza.system_may(target regclass, privileges text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    system text := plaza.service_role(target) || '_system';
BEGIN
    PERFORM plaza.give(target, privileges, system);
    EXECUTE format('DROP POLICY IF EXISTS system ON %s', target);
    EXECUTE format('CREATE POLICY system ON %s TO %I USING (true) WITH CHECK (true)', target, system);
END
$$;
