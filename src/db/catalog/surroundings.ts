import { sql } from '../../backends/sql/fragment.js'
import { OPEN_RELATION } from '../../backends/sql/unprotected.js'
import { list, privileges } from './objects.js'

/** The schemas, the database, and what new objects will be granted to roles that twinrule manages or to everybody. */
export const PLACES = sql`
SELECT 'schema', n.nspname, jsonb_build_object('owner', pg_get_userbyid(n.nspowner))
FROM pg_namespace AS n WHERE n.nspname IN ('public', 'twinrule')
UNION ALL
SELECT 'grants', 'schema ' || n.nspname,
  jsonb_build_object('entries', ${list(privileges(sql`n.nspacl`, sql`n.nspowner`))})
FROM pg_namespace AS n WHERE n.nspname IN ('public', 'twinrule')
UNION ALL
SELECT 'database', 'database', jsonb_build_object('owner', pg_get_userbyid(d.datdba))
FROM pg_database AS d WHERE d.datname = current_database()
UNION ALL
SELECT 'grants', 'database',
  jsonb_build_object('entries', ${list(privileges(sql`COALESCE(d.datacl, acldefault('d', d.datdba))`, sql`d.datdba`))})
FROM pg_database AS d WHERE d.datname = current_database()
UNION ALL
SELECT 'grants', 'new objects', jsonb_build_object('entries', ${list(sql`
    SELECT concat(a.privilege_type, ' ', CASE d.defaclobjtype WHEN 'r' THEN 'ON TABLES' WHEN 'S' THEN 'ON SEQUENCES'
        WHEN 'f' THEN 'ON FUNCTIONS' WHEN 'T' THEN 'ON TYPES' ELSE 'ON SCHEMAS' END,
      ' OF ' || pg_get_userbyid(d.defaclrole), ' IN SCHEMA ' || n.nspname, ' TO ', COALESCE(g.rolname, 'PUBLIC')) AS entry
    FROM pg_default_acl AS d LEFT JOIN pg_namespace AS n ON n.oid = d.defaclnamespace, aclexplode(d.defaclacl) AS a
      LEFT JOIN pg_roles AS g ON g.oid = a.grantee
    WHERE a.grantee <> d.defaclrole AND (a.grantee = 0 OR g.rolname IN (SELECT rolname FROM ours))`)})`

/**
 * The roles, what they may become and who may become them. Roles are the cluster's: of the roles that are not ours
 * only those count that mean something in this database.
 */
export const ROLES = sql`
SELECT 'role', o.rolname, jsonb_build_object('superuser', o.rolsuper, 'inherit', o.rolinherit,
  'createrole', o.rolcreaterole, 'createdb', o.rolcreatedb, 'login', o.rolcanlogin, 'replication', o.rolreplication,
  'bypassrls', o.rolbypassrls)
FROM ours AS o
UNION ALL
SELECT 'membership', format('%s IN %s', member.rolname, role.rolname), jsonb_build_object(
  'member', member.rolname, 'role', role.rolname, 'admin', bool_or(m.admin_option),
  -- two columns that servers before 16 do not have: there the member's own attribute says it
  'inherit', bool_or(COALESCE((to_jsonb(m) ->> 'inherit_option')::boolean, member.rolinherit)),
  'set', bool_or(COALESCE((to_jsonb(m) ->> 'set_option')::boolean, true)))
FROM pg_auth_members AS m JOIN pg_roles AS member ON member.oid = m.member JOIN pg_roles AS role ON role.oid = m.roleid
WHERE m.roleid IN (SELECT oid FROM ours) OR (m.member IN (SELECT oid FROM ours) AND EXISTS (
  SELECT FROM pg_roles AS reached WHERE pg_has_role(m.roleid, reached.oid, 'MEMBER') AND (
    reached.rolsuper OR reached.rolbypassrls OR reached.rolcreaterole OR reached.rolreplication OR reached.rolcanlogin
    OR left(reached.rolname, 3) = 'pg_' OR EXISTS (
      SELECT FROM pg_shdepend AS d WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = reached.oid
        AND d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())))))
GROUP BY member.rolname, role.rolname
UNION ALL
SELECT 'settings', o.rolname, jsonb_build_object('entries', ${list(sql`
    SELECT unnest(s.setconfig) AS entry FROM pg_db_role_setting AS s
    WHERE s.setrole = o.oid AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))`)})
FROM ours AS o`

/** What applications reach without row-level security: relations, and functions that run as somebody outside of it. */
export const OPEN = sql`
SELECT 'open relation', format('%s.%s', n.nspname, c.relname), jsonb_build_object('owner', pg_get_userbyid(c.relowner),
  'relation', c.relkind, 'roles', jsonb_agg(a.rolname ORDER BY a.rolname COLLATE "C"))
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace CROSS JOIN apps AS a
WHERE ${OPEN_RELATION}
GROUP BY n.nspname, c.relname, c.relowner, c.relkind
UNION ALL
SELECT 'open function', format('%s.%s(%s)', n.nspname, f.proname, oidvectortypes(f.proargtypes)), jsonb_build_object(
  'owner', owner.rolname, 'roles', jsonb_agg(a.rolname ORDER BY a.rolname COLLATE "C"))
FROM pg_proc AS f JOIN pg_namespace AS n ON n.oid = f.pronamespace JOIN pg_roles AS owner ON owner.oid = f.proowner
  CROSS JOIN apps AS a
WHERE f.prosecdef AND n.nspname NOT IN ('twinrule', 'information_schema') AND left(n.nspname, 3) <> 'pg_'
  AND (owner.rolsuper OR owner.rolbypassrls OR owner.oid IN (SELECT oid FROM ours))
  AND has_schema_privilege(a.oid, n.oid, 'USAGE') AND has_function_privilege(a.oid, f.oid, 'EXECUTE')
  AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_proc'::regclass AND d.objid = f.oid AND d.deptype = 'e')
GROUP BY n.nspname, f.proname, f.proargtypes, owner.rolname`
