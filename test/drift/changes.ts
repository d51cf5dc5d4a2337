/** A change that somebody makes by hand, and the finding that must be among those of the next look. */
export type HandMade = readonly [change: string, code: string, object: string]

const SELECT = 'twinrule_agents_select ON public.agents'
const RULES = 'tenant_id = (SELECT twinrule.context_tenant_id())'

/** Changes that one transaction can make and take back. */
export const CHANGES: readonly HandMade[] = [
  ['DROP POLICY twinrule_agents_select ON agents', 'TWR_DRIFT_POLICY', SELECT],
  ['ALTER POLICY twinrule_agents_select ON agents USING (true)', 'TWR_DRIFT_POLICY', SELECT],
  [`ALTER POLICY twinrule_agents_select ON agents USING (${RULES} OR is_shared)`, 'TWR_DRIFT_POLICY', SELECT],
  [
    `ALTER POLICY twinrule_agents_update ON agents WITH CHECK (${RULES})`,
    'TWR_DRIFT_POLICY',
    'twinrule_agents_update ON public.agents'
  ],
  ['ALTER POLICY twinrule_agents_select ON agents TO PUBLIC', 'TWR_DRIFT_POLICY', SELECT],
  ['ALTER POLICY twinrule_agents_select ON agents RENAME TO other', 'TWR_DRIFT_POLICY', SELECT],
  [
    `DROP POLICY twinrule_agents_delete ON agents; CREATE POLICY twinrule_agents_delete ON agents TO twinrule_app USING (${RULES})`,
    'TWR_DRIFT_POLICY',
    'twinrule_agents_delete ON public.agents'
  ],
  ['CREATE POLICY everyone ON tools USING (true)', 'TWR_DRIFT_POLICY', 'everyone ON public.tools'],
  [
    'CREATE POLICY twinrule_mine ON tools FOR SELECT USING (true)',
    'TWR_DRIFT_POLICY',
    'twinrule_mine ON public.tools'
  ],
  [
    'CREATE POLICY nobody ON tools AS RESTRICTIVE USING (false)',
    'TWR_DRIFT_POLICY',
    'nobody ON public.tools'
  ],
  [
    'ALTER POLICY twinrule_tenants_context ON tenants TO twinrule_context, twinrule_app',
    'TWR_DRIFT_POLICY',
    'twinrule_tenants_context ON public.tenants'
  ],
  [
    'ALTER POLICY twinrule_agents_facts ON agents USING (is_shared)',
    'TWR_DRIFT_POLICY',
    'twinrule_agents_facts ON public.agents'
  ],
  ['ALTER TABLE prompts DISABLE ROW LEVEL SECURITY', 'TWR_DRIFT_TABLE', 'public.prompts'],
  ['ALTER TABLE prompts NO FORCE ROW LEVEL SECURITY', 'TWR_DRIFT_TABLE', 'public.prompts'],
  ['ALTER TABLE user_roles NO FORCE ROW LEVEL SECURITY', 'TWR_DRIFT_TABLE', 'public.user_roles'],
  ['ALTER TABLE tools OWNER TO twinrule_app', 'TWR_DRIFT_TABLE', 'public.tools'],
  ['ALTER TABLE agents INHERIT everything', 'TWR_DRIFT_TABLE', 'public.agents'],
  ['ALTER SCHEMA twinrule OWNER TO twinrule_app', 'TWR_DRIFT_TABLE', 'twinrule'],
  ['GRANT TRUNCATE ON agents TO twinrule_app', 'TWR_DRIFT_GRANT', 'public.agents'],
  ['GRANT SELECT ON agents TO PUBLIC', 'TWR_DRIFT_GRANT', 'public.agents'],
  ['GRANT SELECT (name) ON agents TO reporting', 'TWR_DRIFT_GRANT', 'public.agents'],
  ['GRANT SELECT ON user_roles TO twinrule_app', 'TWR_DRIFT_GRANT', 'public.user_roles'],
  ['GRANT SELECT ON agents TO twinrule_app WITH GRANT OPTION', 'TWR_DRIFT_GRANT', 'public.agents'],
  ['GRANT DELETE ON agents TO twinrule_app', 'TWR_DRIFT_GRANT', 'public.agents'],
  ['GRANT UPDATE ON twinrule.state TO twinrule_app', 'TWR_DRIFT_GRANT', 'twinrule.state'],
  [
    'GRANT EXECUTE ON FUNCTION twinrule.membership(uuid, uuid) TO PUBLIC',
    'TWR_DRIFT_GRANT',
    'twinrule.membership(uuid, uuid)'
  ],
  ['GRANT CREATE ON SCHEMA public TO twinrule_app', 'TWR_DRIFT_GRANT', 'schema public'],
  ['GRANT USAGE ON SCHEMA twinrule TO PUBLIC', 'TWR_DRIFT_GRANT', 'schema twinrule'],
  [
    'DO $$ BEGIN EXECUTE format($f$GRANT CREATE ON DATABASE %I TO twinrule_app$f$, current_database()); END $$',
    'TWR_DRIFT_GRANT',
    'database'
  ],
  ['ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO twinrule_app', 'TWR_DRIFT_GRANT', 'new objects'],
  [
    "CREATE OR REPLACE FUNCTION twinrule.get_current_tenant_id() RETURNS uuid LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN RETURN current_setting('twinrule.tenant_id')::uuid; END $$",
    'TWR_DRIFT_FUNCTION',
    'twinrule.get_current_tenant_id()'
  ],
  [
    'ALTER FUNCTION twinrule.get_current_user_id() SECURITY INVOKER',
    'TWR_DRIFT_FUNCTION',
    'twinrule.get_current_user_id()'
  ],
  [
    'ALTER FUNCTION twinrule.get_current_user_id() IMMUTABLE',
    'TWR_DRIFT_FUNCTION',
    'twinrule.get_current_user_id()'
  ],
  [
    'ALTER FUNCTION twinrule.get_current_user_id() RESET search_path',
    'TWR_DRIFT_FUNCTION',
    'twinrule.get_current_user_id()'
  ],
  [
    'ALTER FUNCTION twinrule.has_tenant_access(uuid) OWNER TO CURRENT_USER',
    'TWR_DRIFT_FUNCTION',
    'twinrule.has_tenant_access(uuid)'
  ],
  [
    'DROP FUNCTION twinrule.has_tenant_access(uuid)',
    'TWR_DRIFT_FUNCTION',
    'twinrule.has_tenant_access(uuid)'
  ],
  [
    "CREATE FUNCTION twinrule.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    'TWR_DRIFT_FUNCTION',
    'twinrule.mine()'
  ],
  ['ALTER EVENT TRIGGER twinrule_guard_new_tables DISABLE', 'TWR_DRIFT_TRIGGER', 'twinrule_guard_new_tables'],
  ['DROP EVENT TRIGGER twinrule_guard_new_tables', 'TWR_DRIFT_TRIGGER', 'twinrule_guard_new_tables'],
  [
    'ALTER TABLE agents DISABLE TRIGGER "A_twinrule_agents_columns"',
    'TWR_DRIFT_TRIGGER',
    'A_twinrule_agents_columns ON public.agents'
  ],
  [
    'DROP TRIGGER "A_twinrule_agents_columns" ON agents',
    'TWR_DRIFT_TRIGGER',
    'A_twinrule_agents_columns ON public.agents'
  ],
  [
    'CREATE OR REPLACE TRIGGER "A_twinrule_agents_columns" AFTER UPDATE ON agents FOR EACH ROW WHEN (OLD.name IS DISTINCT FROM NEW.name) EXECUTE FUNCTION twinrule.twinrule_agents_columns()',
    'TWR_DRIFT_TRIGGER',
    'A_twinrule_agents_columns ON public.agents'
  ],
  [
    'CREATE TRIGGER quiet BEFORE DELETE ON tools FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()',
    'TWR_DRIFT_TRIGGER',
    'quiet ON public.tools'
  ],
  [
    'CREATE RULE quiet AS ON DELETE TO tools DO INSTEAD NOTHING',
    'TWR_DRIFT_TRIGGER',
    'quiet ON public.tools'
  ],
  [
    "CREATE FUNCTION noted() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER noted ON ddl_command_end EXECUTE FUNCTION noted()",
    'TWR_DRIFT_TRIGGER',
    'noted'
  ],
  ['ALTER ROLE twinrule_app BYPASSRLS', 'TWR_DRIFT_ROLE', 'twinrule_app'],
  ['ALTER ROLE twinrule_app INHERIT', 'TWR_DRIFT_ROLE', 'twinrule_app'],
  ['ALTER ROLE twinrule_context LOGIN', 'TWR_DRIFT_ROLE', 'twinrule_context'],
  ['ALTER ROLE twinrule_service SUPERUSER', 'TWR_DRIFT_ROLE', 'twinrule_service'],
  ['GRANT twinrule_facts TO twinrule_app', 'TWR_DRIFT_ROLE', 'twinrule_app IN twinrule_facts'],
  ['GRANT twinrule_context TO reporting', 'TWR_DRIFT_ROLE', 'reporting IN twinrule_context'],
  ['GRANT twinrule_app TO reporting', 'TWR_DRIFT_ROLE', 'reporting IN twinrule_app'],
  ['GRANT pg_read_all_data TO twinrule_app', 'TWR_DRIFT_ROLE', 'twinrule_app IN pg_read_all_data'],
  ['REVOKE authz_platform_admin FROM twinrule_app', 'TWR_DRIFT_ROLE', 'twinrule_app IN authz_platform_admin'],
  [
    'GRANT authz_platform_admin TO twinrule_app WITH ADMIN OPTION',
    'TWR_DRIFT_ROLE',
    'twinrule_app IN authz_platform_admin'
  ],
  ["ALTER ROLE twinrule_app SET role = 'authz_platform_admin'", 'TWR_DRIFT_ROLE', 'twinrule_app'],
  ['GRANT SELECT ON twinrule.context_keys TO twinrule_app', 'TWR_DRIFT_GRANT', 'twinrule.context_keys'],
  ['GRANT UPDATE (id) ON agents TO twinrule_app', 'TWR_DRIFT_GRANT', 'public.agents'],
  ['REVOKE UPDATE (name) ON agents FROM twinrule_app', 'TWR_DRIFT_GRANT', 'public.agents'],
  ['ALTER ROLE twinrule_app SET statement_timeout = 0', 'TWR_DRIFT_ROLE', 'twinrule_app'],
  ['ALTER TABLE agents ALTER COLUMN tenant_id DROP NOT NULL', 'TWR_DRIFT_TABLE', 'public.agents'],
  [
    'ALTER POLICY twinrule_agents_select_platform_admin ON agents USING (true)',
    'TWR_DRIFT_POLICY',
    'twinrule_agents_select_platform_admin ON public.agents'
  ],
  ['DROP INDEX agents_by_tenant', 'TWR_DRIFT_INDEX', 'agents_by_tenant ON public.agents'],
  [
    "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'agents_by_tenant'::regclass",
    'TWR_DRIFT_INDEX',
    'agents_by_tenant ON public.agents'
  ],
  [
    'ALTER TABLE agents DROP CONSTRAINT agents_sharing_mode_check',
    'TWR_DRIFT_INDEX',
    'agents_sharing_mode_check ON public.agents'
  ],
  [
    'CREATE TABLE notes (id int); GRANT SELECT (id) ON notes TO twinrule_app',
    'TWR_DRIFT_OPEN',
    'public.notes'
  ],
  [
    'CREATE TABLE more () INHERITS (agents); GRANT SELECT ON more TO authz_platform_admin',
    'TWR_DRIFT_OPEN',
    'public.more'
  ],
  [
    'CREATE VIEW all_agents AS SELECT * FROM agents; GRANT SELECT ON all_agents TO twinrule_app',
    'TWR_DRIFT_OPEN',
    'public.all_agents'
  ],
  [
    'CREATE MATERIALIZED VIEW copied AS SELECT * FROM agents; GRANT SELECT ON copied TO PUBLIC',
    'TWR_DRIFT_OPEN',
    'public.copied'
  ],
  [
    "CREATE FUNCTION peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM agents'",
    'TWR_DRIFT_OPEN',
    'public.peek()'
  ],
  ['UPDATE twinrule.state SET catalog = NULL', 'TWR_DRIFT_RECORD', 'twinrule.state'],
  [
    `UPDATE twinrule.state SET catalog = replace(catalog::text, '"forced": true', '"forced": false')::jsonb`,
    'TWR_DRIFT_RECORD',
    'table public.agents'
  ],
  ["UPDATE twinrule.state SET revision = repeat('f', 64)", 'TWR_DRIFT_REVISION', 'revision']
]
