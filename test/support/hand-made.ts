import { DEMO } from './example.js'

/**
 * A multi-tenant system as people write it by hand: tables, rows, functions and policies of its own, row-level security
 * on, not forced, and one table forgotten. Its gateway logs in as the role that is passed.
 */
export function handMade(gateway: string): string {
  return `
CREATE ROLE ${gateway} LOGIN;
CREATE FUNCTION get_tenant() RETURNS uuid LANGUAGE sql STABLE
  AS $$ SELECT NULLIF(current_setting('app.tenant_id', true), '')::uuid $$;
CREATE FUNCTION is_admin() RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
  AS $$ SELECT current_setting('app.is_admin', true) = 'on' $$;

CREATE TABLE tenants (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, slug text NOT NULL UNIQUE, domain text,
  type text NOT NULL DEFAULT 'client', status text NOT NULL DEFAULT 'active', billing_email text, deleted_at timestamptz);
CREATE TABLE user_tenants (
  user_id uuid NOT NULL, tenant_id uuid NOT NULL REFERENCES tenants, role text NOT NULL DEFAULT 'member',
  status text NOT NULL DEFAULT 'active', PRIMARY KEY (user_id, tenant_id));
CREATE TABLE user_roles (user_id uuid NOT NULL, role text NOT NULL, tenant_id uuid, UNIQUE (user_id, role, tenant_id));
CREATE TABLE agents (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL REFERENCES tenants, name text NOT NULL,
  is_shared boolean NOT NULL DEFAULT false, sharing_mode text NOT NULL DEFAULT 'private', shared_with uuid[] NOT NULL DEFAULT '{}',
  resource_type text NOT NULL DEFAULT 'custom', prompt text, deleted_at timestamptz);
CREATE TABLE tools (LIKE agents INCLUDING ALL);
CREATE TABLE workflows (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, steps jsonb);

ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
CREATE POLICY "signed in may read" ON tenants FOR SELECT USING (get_tenant() IS NOT NULL);
ALTER TABLE agents ENABLE ROW LEVEL SECURITY;
CREATE POLICY isolation ON agents USING (tenant_id = get_tenant()) WITH CHECK (tenant_id = get_tenant());
CREATE POLICY shared ON agents FOR SELECT TO ${gateway}
  USING (is_shared AND (sharing_mode = 'global' OR get_tenant() = ANY (shared_with)));
COMMENT ON POLICY shared ON agents IS 'it''s what the others see';
CREATE POLICY admin ON agents USING (is_admin());
CREATE POLICY "not deleted" ON agents AS RESTRICTIVE FOR SELECT USING (deleted_at IS NULL);
ALTER TABLE tools ENABLE ROW LEVEL SECURITY;
ALTER TABLE tools FORCE ROW LEVEL SECURITY;
CREATE POLICY isolation ON tools FOR ALL TO ${gateway}, PUBLIC USING (tenant_id IN (SELECT id FROM tenants WHERE id = get_tenant()));
CREATE POLICY insertion ON tools FOR INSERT WITH CHECK (tenant_id = get_tenant());
ALTER TABLE workflows OWNER TO ${gateway};
GRANT SELECT, INSERT, UPDATE, DELETE ON agents, tools TO ${gateway};
GRANT SELECT ON agents TO PUBLIC;
GRANT SELECT (name), UPDATE (name) ON tools TO PUBLIC;
GRANT SELECT ON tenants TO ${gateway};

INSERT INTO tenants (id, name, slug, billing_email) VALUES
  ('${DEMO.acme}', 'Acme', 'acme', 'pay@acme.example'), ('${DEMO.globex}', 'Globex', 'globex', 'pay@globex.example');
INSERT INTO user_tenants VALUES ('${DEMO.ada}', '${DEMO.acme}', 'owner'), ('${DEMO.gus}', '${DEMO.globex}', 'member');
INSERT INTO user_roles VALUES ('${DEMO.root}', 'platform_admin', NULL), ('${DEMO.root}', 'platform_admin', NULL);
INSERT INTO agents (id, tenant_id, name, is_shared, sharing_mode, shared_with, prompt)
SELECT ('00000000-0000-0000-0009-' || lpad(n::text, 12, '0'))::uuid, CASE n % 2 WHEN 0 THEN '${DEMO.acme}' ELSE '${DEMO.globex}' END::uuid, 'agent ' || n,
  n % 3 > 0, (ARRAY['private', 'global', 'selective'])[n % 3 + 1], CASE n % 3 WHEN 2 THEN ARRAY['${DEMO.globex}']::uuid[] ELSE '{}' END, 'p' || n
FROM generate_series(1, 12) AS n;
INSERT INTO tools (tenant_id, name) SELECT tenant_id, 'tool of ' || name FROM agents;
INSERT INTO workflows (name, steps) VALUES ('nobody''s', '[1]'), ('another', NULL);`
}
