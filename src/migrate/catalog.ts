/**
 * One text over everything in the catalog that decides who may see what: policies, row-level security, triggers, grants,
 * functions, roles. When it is not what the last migration left, somebody changed it by hand and the generated part
 * is applied again. Of the memberships only those count that mean something in this database: roles are the cluster's.
 */
export const CATALOG_MD5 = `
SELECT md5(string_agg(line, E'\\n' ORDER BY line COLLATE "C")) AS md5 FROM (
  SELECT concat_ws('|', 'policy', p.polrelid::regclass, p.polname, p.polcmd, p.polpermissive,
    (SELECT string_agg(r::regrole::text, ',' ORDER BY r) FROM unnest(p.polroles) AS r WHERE r <> 0),
    pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) AS line
  FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid WHERE c.relnamespace = 'public'::regnamespace
  UNION ALL
  SELECT concat_ws('|', 'table', c.oid::regclass, c.relrowsecurity, c.relforcerowsecurity, c.relowner::regrole, c.relacl::text,
    (SELECT string_agg(a.attname || a.attacl::text, ',' ORDER BY a.attnum) FROM pg_attribute AS a
     WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL))
  FROM pg_class AS c
  WHERE c.oid IN (SELECT polrelid FROM pg_policy) AND c.relnamespace = 'public'::regnamespace
  UNION ALL
  SELECT concat_ws('|', 'trigger', t.tgrelid::regclass, t.tgname, t.tgenabled, pg_get_triggerdef(t.oid))
  FROM pg_trigger AS t WHERE NOT t.tgisinternal AND left(t.tgname, 9) = 'twinrule_'
  UNION ALL
  SELECT concat_ws('|', 'function', f.oid::regprocedure, f.prosecdef, f.provolatile, f.proconfig::text,
    f.proowner::regrole, f.proacl::text, md5(f.prosrc))
  FROM pg_proc AS f WHERE f.pronamespace = 'twinrule'::regnamespace
  UNION ALL
  SELECT concat_ws('|', 'role', r.rolname, r.rolsuper, r.rolinherit, r.rolcreaterole, r.rolcreatedb, r.rolcanlogin,
    r.rolreplication, r.rolbypassrls,
    (SELECT string_agg(m.roleid::regrole::text, ',' ORDER BY m.roleid) FROM pg_auth_members AS m JOIN pg_roles AS held ON held.oid = m.roleid
     WHERE m.member = r.oid AND (held.rolsuper OR held.rolbypassrls OR held.rolcreaterole OR held.rolcanlogin
       OR EXISTS (SELECT FROM pg_policy AS used WHERE m.roleid = ANY (used.polroles)))))
  FROM pg_roles AS r WHERE left(r.rolname, 9) = 'twinrule_'
  UNION ALL
  SELECT concat_ws('|', 'schema', n.nspname, n.nspacl::text) FROM pg_namespace AS n WHERE n.nspname IN ('public', 'twinrule')
) AS lines`
