import { DEMO } from '../support/example.js'

const { ada, gus, root, acme, globex, platform } = DEMO

const table = (name: string): string => `CREATE TABLE ${name} (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid, name text NOT NULL, is_shared boolean DEFAULT false,
  sharing_mode text DEFAULT 'private', shared_with uuid[] DEFAULT '{}', resource_type text DEFAULT 'custom', deleted_at timestamptz);
GRANT SELECT, INSERT, UPDATE, DELETE ON ${name} TO {login};`

const policies = (name: string): string => `ALTER TABLE ${name} ENABLE ROW LEVEL SECURITY;
CREATE POLICY reading ON ${name} FOR SELECT USING (deleted_at IS NULL AND (tenant_id = get_current_tenant_id()
  OR sharing_mode = 'global' OR get_current_tenant_id() = ANY (shared_with)));
CREATE POLICY making ON ${name} FOR INSERT WITH CHECK (tenant_id = get_current_tenant_id());
CREATE POLICY changing ON ${name} FOR UPDATE USING (tenant_id = get_current_tenant_id());`

const SQL = `CREATE ROLE {login} LOGIN;
CREATE TABLE tenants (id uuid PRIMARY KEY, name text, billing_email text);
CREATE TABLE user_tenants (user_id uuid, tenant_id uuid, role text, status text);
CREATE TABLE user_roles (user_id uuid, role text, tenant_id uuid, UNIQUE (user_id, role, tenant_id));
GRANT SELECT ON tenants, user_tenants, user_roles TO {login};
CREATE FUNCTION get_current_tenant_id() RETURNS uuid LANGUAGE plpgsql STABLE AS $$ BEGIN
  RETURN COALESCE(NULLIF(current_setting('app.tenant_id', true), '')::uuid, '${platform}'); END $$;
CREATE FUNCTION set_tenant_context(who uuid, tenant uuid) RETURNS void LANGUAGE sql AS
  $$ SELECT set_config('app.user_id', who::text, false), set_config('app.tenant_id', tenant::text, false) $$;
CREATE FUNCTION role_of_user() RETURNS text LANGUAGE sql STABLE AS
  $$ SELECT role FROM user_tenants WHERE user_id = current_setting('app.user_id')::uuid ORDER BY role LIMIT 1 $$;
CREATE FUNCTION grant_platform_admin(who uuid) RETURNS void LANGUAGE sql SECURITY DEFINER AS
  $$ INSERT INTO user_roles VALUES (who, 'platform_admin', NULL) ON CONFLICT DO NOTHING $$;
${['agents', 'tools', 'prompts', 'workflows', 'rag_knowledge_sources'].map(table).join('\n')}
CREATE FUNCTION can_access_resource(of_id uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER AS $$ SELECT EXISTS (
  SELECT FROM agents WHERE id = of_id AND (tenant_id = get_current_tenant_id() OR (is_shared AND sharing_mode = 'global'))) $$;
${['agents', 'tools', 'rag_knowledge_sources'].map(policies).join('\n')}
ALTER TABLE prompts ENABLE ROW LEVEL SECURITY;
CREATE INDEX agents_shared_with ON agents USING gin (shared_with);
INSERT INTO tenants VALUES ('${acme}', 'Acme', 'bills@acme.example'), ('${globex}', 'Globex', 'bills@globex.example'), ('${platform}', 'Platform', NULL);
INSERT INTO user_tenants VALUES ('${ada}', '${acme}', 'admin', 'active'), ('${gus}', '${globex}', 'member', 'active'), ('${root}', '${platform}', 'owner', 'active');
INSERT INTO agents (id, tenant_id, name, is_shared, sharing_mode, shared_with) VALUES
  ('${DEMO.agent(1)}', '${acme}', 'Acme support', false, 'private', '{}'),
  ('${DEMO.agent(2)}', '${acme}', 'Acme logistics', true, 'selective', '{${globex}}'),
  ('${DEMO.agent(3)}', '${platform}', 'Translator', true, 'global', '{}'),
  ('${DEMO.agent(4)}', '${globex}', 'Globex research', false, 'private', '{}');`

/** A system made by hand, with the mistakes that twinrule is there to end, for a login of its own. */
export function handMade(role: string): string {
  return SQL.replaceAll('{login}', role)
}
