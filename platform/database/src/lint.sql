WITH service AS (
    SELECT n.oid AS schema_oid, n.nspname::text AS schema, n.nspowner,
           'plaza_' || n.nspname AS role, 'plaza_' || n.nspname || '_system' AS system_role
      FROM pg_catalog.pg_namespace n
     WHERE n.nspname = ANY ($1::text[])
), runtime AS (
    SELECT r.*, s.schema_oid AS own_schema
      FROM service s
      JOIN pg_catalog.pg_roles r ON r.rolname IN (s.role, s.system_role)
), relation AS (
    SELECT c.oid, c.relkind, c.relname, c.relowner, c.relacl, c.reloptions, c.relrowsecurity, c.relforcerowsecurity,
           c.relispartition, s.schema, s.schema_oid, s.role, format('%I.%I', s.schema, c.relname) AS label,
           t.attnum AS tenant, t.attnotnull AS tenant_required
      FROM service s
      JOIN pg_catalog.pg_class c ON c.relnamespace = s.schema_oid
      LEFT JOIN pg_catalog.pg_attribute t ON t.attrelid = c.oid AND t.attname = 'tenant_id' AND NOT t.attisdropped
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
), granted AS (
    SELECT r.oid, r.label, r.schema_oid, a.grantee, a.privilege_type AS privilege
      FROM relation r, pg_catalog.aclexplode(r.relacl) a
), tenant_table AS (
    SELECT r.*, r.relname = ANY ($2::text[]) AS scoped
      FROM relation r
     WHERE r.relkind IN ('r', 'p') AND r.tenant IS NOT NULL
       -- A partition without grants is reached through its parent only.
       AND (NOT r.relispartition OR EXISTS (
               SELECT FROM granted g JOIN runtime u ON u.oid = g.grantee WHERE g.oid = r.oid))
), finding AS (
    SELECT 'ROW_SECURITY_OFF' AS rule, label AS object, 'row-level security is not enabled and forced' AS problem
      FROM tenant_table
     WHERE NOT (relrowsecurity AND relforcerowsecurity)
    UNION ALL
    SELECT 'NO_GUARD', t.label, 'no restrictive policy keeps ' || t.role || ' to one tenant'
      FROM tenant_table t
     WHERE NOT EXISTS (
               SELECT FROM pg_catalog.pg_policy p
                WHERE p.polrelid = t.oid AND NOT p.polpermissive AND p.polcmd = '*'
                  AND (p.polroles = '{0}' OR EXISTS (
                          SELECT FROM pg_catalog.pg_roles r WHERE r.oid = ANY (p.polroles) AND r.rolname = t.role))
                  AND pg_catalog.pg_get_expr(p.polqual, p.polrelid) LIKE '%tenant_id%app.tenant_id%'
                  AND coalesce(pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid), 'tenant_id app.tenant_id')
                      LIKE '%tenant_id%app.tenant_id%')
    UNION ALL
    SELECT 'TENANT_NULLABLE', label, 'tenant_id may be NULL'
      FROM tenant_table
     WHERE NOT tenant_required AND NOT scoped
    UNION ALL
    SELECT 'VIEW_OF_ITS_OWNER', label, 'the view is not security_invoker: it reads with its owner''s rights'
      FROM relation
     WHERE relkind = 'v'
       AND NOT coalesce(reloptions && ARRAY['security_invoker=true', 'security_invoker=on', 'security_invoker=1',
                                            'security_invoker=yes'], false)
    UNION ALL
    SELECT 'MATERIALISED_TENANTS', r.label, 'a materialised view keeps rows of tenants without policies'
      FROM relation r
     WHERE r.relkind = 'm' AND EXISTS (
               SELECT FROM pg_catalog.pg_rewrite w
                 JOIN pg_catalog.pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
                                            AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.oid
                 JOIN relation used ON used.oid = d.refobjid
                WHERE w.ev_class = r.oid AND used.tenant IS NOT NULL)
    UNION ALL
    SELECT 'FOREIGN_KEY_WITHOUT_TENANT', r.label || ' ' || k.conname,
           'the foreign key does not lead with tenant_id on both sides: it can point to another tenant''s row'
      FROM pg_catalog.pg_constraint k
      JOIN relation r ON r.oid = k.conrelid
      JOIN relation target ON target.oid = k.confrelid AND target.tenant IS NOT NULL
     WHERE k.contype = 'f' AND (k.conkey[1] IS DISTINCT FROM r.tenant OR k.confkey[1] IS DISTINCT FROM target.tenant)
    UNION ALL
    SELECT 'FOREIGN_KEY_ACROSS_SCHEMAS', r.label || ' ' || k.conname, 'the foreign key leaves the schema'
      FROM pg_catalog.pg_constraint k
      JOIN relation r ON r.oid = k.conrelid
      JOIN pg_catalog.pg_class target ON target.oid = k.confrelid
     WHERE k.contype = 'f' AND target.relnamespace <> r.schema_oid
    UNION ALL
    SELECT 'KEY_WITHOUT_TENANT', t.label || ' ' || c.relname,
           'the unique key does not lead with tenant_id: it tells one tenant of another''s values'
      FROM tenant_table t
      JOIN pg_catalog.pg_index i ON i.indrelid = t.oid AND i.indisunique AND i.indkey[0] <> t.tenant
      JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
     WHERE NOT t.scoped
       AND coalesce(pg_catalog.obj_description(i.indexrelid, 'pg_class'), '') NOT LIKE 'across tenants:%'
    UNION ALL
    SELECT 'GRANTED_TO_PUBLIC', g.label, g.privilege || ' is granted to PUBLIC'
      FROM granted g
     WHERE g.grantee = 0
    UNION ALL
    SELECT 'FOREIGN_OWNER', r.label, 'is owned by ' || o.rolname || ', not by plaza_owner'
      FROM relation r
      JOIN pg_catalog.pg_roles o ON o.oid = r.relowner AND o.rolname <> 'plaza_owner'
    UNION ALL
    SELECT 'FOREIGN_OWNER', 'schema ' || s.schema, 'is owned by ' || o.rolname || ', not by plaza_owner'
      FROM service s
      JOIN pg_catalog.pg_roles o ON o.oid = s.nspowner AND o.rolname <> 'plaza_owner'
    UNION ALL
    SELECT 'POWERFUL_ROLE', 'role ' || u.rolname, 'is a superuser, bypasses row-level security or makes roles'
      FROM runtime u
     WHERE u.rolsuper OR u.rolbypassrls OR u.rolcreaterole OR u.rolcreatedb OR u.rolreplication
    UNION ALL
    SELECT 'POWERFUL_ROLE', 'role ' || u.rolname, 'is a member of ' || m.roleid::regrole
      FROM runtime u
      JOIN pg_catalog.pg_auth_members m ON m.member = u.oid
    UNION ALL
    SELECT 'POWERFUL_ROLE', 'role ' || u.rolname, 'may create in schema ' || n.nspname
      FROM runtime u
      JOIN pg_catalog.pg_namespace n ON n.oid IN (SELECT schema_oid FROM service) OR n.nspname IN ('plaza', 'public')
     WHERE NOT u.rolsuper AND pg_catalog.has_schema_privilege(u.oid, n.oid, 'CREATE')
    UNION ALL
    SELECT 'TOO_MUCH_GRANTED', g.label, g.privilege || ' is granted to ' || u.rolname
      FROM granted g
      JOIN runtime u ON u.oid = g.grantee
     WHERE g.privilege NOT IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE', 'USAGE')
    UNION ALL
    SELECT 'GRANTED_ACROSS_SCHEMAS', g.label, g.privilege || ' is granted to ' || u.rolname
      FROM granted g
      JOIN runtime u ON u.oid = g.grantee AND u.own_schema <> g.schema_oid
    UNION ALL
    SELECT 'SCHEMA_MISSING', 'schema ' || wanted, 'does not exist'
      FROM unnest($1::text[]) wanted
     WHERE wanted NOT IN (SELECT schema FROM service)
)
SELECT DISTINCT rule, object, problem FROM finding ORDER BY rule, object, problem
