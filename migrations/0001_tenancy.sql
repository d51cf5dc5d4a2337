-- Tenants, who belongs to them, and which roles users hold.
--
-- Brings the three tables to this shape from any earlier one: a table or column that is there stays, with its rows.
-- What this migration had to create is written down in twinrule.created_objects, so that the way down removes that
-- and nothing that it found.

-- Up Migration
CREATE SCHEMA IF NOT EXISTS twinrule;
CREATE TABLE IF NOT EXISTS twinrule.created_objects (
  migration text NOT NULL,
  table_name text NOT NULL,
  column_name text,
  UNIQUE (migration, table_name, column_name)
);

DO $$
DECLARE
  migration constant text := '0001_tenancy';
  wanted text[];
  found text;
BEGIN
  FOREACH wanted SLICE 1 IN ARRAY ARRAY[
    ['tenants', 'id', 'uuid'],
    ['tenants', 'name', 'text'],
    ['tenants', 'slug', 'text'],
    ['tenants', 'domain', 'text'],
    ['tenants', 'type', 'text'],
    ['tenants', 'parent_tenant_id', 'uuid'],
    ['tenants', 'status', 'text'],
    ['tenants', 'subscription', 'jsonb'],
    ['tenants', 'branding', 'jsonb'],
    ['tenants', 'features', 'jsonb'],
    ['tenants', 'quotas', 'jsonb'],
    ['tenants', 'hipaa_compliant', 'boolean'],
    ['tenants', 'gdpr_compliant', 'boolean'],
    ['tenants', 'soc2_compliant', 'boolean'],
    ['tenants', 'created_by', 'uuid'],
    ['tenants', 'updated_by', 'uuid'],
    ['tenants', 'created_at', 'timestamp with time zone'],
    ['tenants', 'updated_at', 'timestamp with time zone'],
    ['tenants', 'deleted_at', 'timestamp with time zone'],
    ['user_tenants', 'user_id', 'uuid'],
    ['user_tenants', 'tenant_id', 'uuid'],
    ['user_tenants', 'role', 'text'],
    ['user_tenants', 'status', 'text'],
    ['user_tenants', 'is_default', 'boolean'],
    ['user_tenants', 'created_at', 'timestamp with time zone'],
    ['user_tenants', 'updated_at', 'timestamp with time zone'],
    ['user_roles', 'user_id', 'uuid'],
    ['user_roles', 'role', 'text'],
    ['user_roles', 'tenant_id', 'uuid'],
    ['user_roles', 'granted_by', 'uuid'],
    ['user_roles', 'created_at', 'timestamp with time zone']
  ] LOOP
    IF to_regclass(format('public.%I', wanted[1])) IS NULL THEN
      EXECUTE format('CREATE TABLE public.%I ()', wanted[1]);
      INSERT INTO twinrule.created_objects VALUES (migration, wanted[1], NULL);
    END IF;
    SELECT format_type(atttypid, atttypmod) INTO found FROM pg_attribute
      WHERE attrelid = to_regclass(format('public.%I', wanted[1])) AND attname = wanted[2] AND NOT attisdropped;
    IF found IS NULL THEN
      EXECUTE format('ALTER TABLE public.%I ADD COLUMN %I %s', wanted[1], wanted[2], wanted[3]);
      INSERT INTO twinrule.created_objects VALUES (migration, wanted[1], wanted[2]) ON CONFLICT DO NOTHING;
    ELSIF found <> wanted[3] AND wanted[3] <> 'timestamp with time zone' THEN
      -- a timestamp without zone stays: nobody can tell here in which zone it was written
      EXECUTE format('ALTER TABLE public.%1$I ALTER COLUMN %2$I DROP DEFAULT, ALTER COLUMN %2$I TYPE %3$s USING %2$I::%3$s',
        wanted[1], wanted[2], wanted[3]);
    END IF;
  END LOOP;
END
$$;

UPDATE public.tenants SET
  id = COALESCE(id, gen_random_uuid()),
  name = COALESCE(name, slug, 'unnamed'),
  type = COALESCE(type, 'client'),
  status = COALESCE(status, CASE WHEN deleted_at IS NULL THEN 'active' ELSE 'deleted' END),
  subscription = COALESCE(subscription, '{}'),
  branding = COALESCE(branding, '{}'),
  features = COALESCE(features, '{}'),
  quotas = COALESCE(quotas, '{}'),
  hipaa_compliant = COALESCE(hipaa_compliant, false),
  gdpr_compliant = COALESCE(gdpr_compliant, false),
  soc2_compliant = COALESCE(soc2_compliant, false),
  created_at = COALESCE(created_at, now()),
  updated_at = COALESCE(updated_at, now())
WHERE id IS NULL OR name IS NULL OR type IS NULL OR status IS NULL OR subscription IS NULL OR branding IS NULL
  OR features IS NULL OR quotas IS NULL OR hipaa_compliant IS NULL OR gdpr_compliant IS NULL
  OR soc2_compliant IS NULL OR created_at IS NULL OR updated_at IS NULL;
UPDATE public.tenants SET slug = 'tenant-' || id WHERE slug IS NULL;

UPDATE public.user_tenants SET
  role = COALESCE(role, 'member'),
  status = COALESCE(status, 'active'),
  is_default = COALESCE(is_default, false),
  created_at = COALESCE(created_at, now()),
  updated_at = COALESCE(updated_at, now())
WHERE role IS NULL OR status IS NULL OR is_default IS NULL OR created_at IS NULL OR updated_at IS NULL;
-- one default per user: the oldest one stays
UPDATE public.user_tenants AS extra SET is_default = false
WHERE extra.is_default AND EXISTS (
  SELECT FROM public.user_tenants AS kept
  WHERE kept.user_id = extra.user_id AND kept.is_default AND (kept.created_at, kept.ctid) < (extra.created_at, extra.ctid)
);

UPDATE public.user_roles SET created_at = now() WHERE created_at IS NULL;
-- a null tenant never conflicted in hand-made systems, so the same role was granted many times
DELETE FROM public.user_roles AS extra USING public.user_roles AS kept
WHERE kept.ctid < extra.ctid AND kept.user_id = extra.user_id AND kept.role = extra.role
  AND kept.tenant_id IS NOT DISTINCT FROM extra.tenant_id;

ALTER TABLE public.tenants
  ALTER COLUMN id SET DEFAULT gen_random_uuid(), ALTER COLUMN id SET NOT NULL,
  ALTER COLUMN name SET NOT NULL,
  ALTER COLUMN slug SET NOT NULL,
  ALTER COLUMN type SET DEFAULT 'client', ALTER COLUMN type SET NOT NULL,
  ALTER COLUMN status SET DEFAULT 'pending', ALTER COLUMN status SET NOT NULL,
  ALTER COLUMN subscription SET DEFAULT '{}', ALTER COLUMN subscription SET NOT NULL,
  ALTER COLUMN branding SET DEFAULT '{}', ALTER COLUMN branding SET NOT NULL,
  ALTER COLUMN features SET DEFAULT '{}', ALTER COLUMN features SET NOT NULL,
  ALTER COLUMN quotas SET DEFAULT '{}', ALTER COLUMN quotas SET NOT NULL,
  ALTER COLUMN hipaa_compliant SET DEFAULT false, ALTER COLUMN hipaa_compliant SET NOT NULL,
  ALTER COLUMN gdpr_compliant SET DEFAULT false, ALTER COLUMN gdpr_compliant SET NOT NULL,
  ALTER COLUMN soc2_compliant SET DEFAULT false, ALTER COLUMN soc2_compliant SET NOT NULL,
  ALTER COLUMN created_at SET DEFAULT now(), ALTER COLUMN created_at SET NOT NULL,
  ALTER COLUMN updated_at SET DEFAULT now(), ALTER COLUMN updated_at SET NOT NULL;
ALTER TABLE public.user_tenants
  ALTER COLUMN user_id SET NOT NULL,
  ALTER COLUMN tenant_id SET NOT NULL,
  ALTER COLUMN role SET DEFAULT 'member', ALTER COLUMN role SET NOT NULL,
  ALTER COLUMN status SET DEFAULT 'active', ALTER COLUMN status SET NOT NULL,
  ALTER COLUMN is_default SET DEFAULT false, ALTER COLUMN is_default SET NOT NULL,
  ALTER COLUMN created_at SET DEFAULT now(), ALTER COLUMN created_at SET NOT NULL,
  ALTER COLUMN updated_at SET DEFAULT now(), ALTER COLUMN updated_at SET NOT NULL;
ALTER TABLE public.user_roles
  ALTER COLUMN user_id SET NOT NULL,
  ALTER COLUMN role SET NOT NULL,
  ALTER COLUMN created_at SET DEFAULT now(), ALTER COLUMN created_at SET NOT NULL;

DO $$
DECLARE
  wanted text[];
BEGIN
  -- a unique index over exactly these columns, whatever it is called, is enough
  FOREACH wanted SLICE 1 IN ARRAY ARRAY[
    ['tenants', 'tenants_pkey', 'PRIMARY KEY', 'id', ''],
    ['user_tenants', 'user_tenants_pkey', 'PRIMARY KEY', 'user_id', 'tenant_id']
  ] LOOP
    IF NOT EXISTS (
      SELECT FROM pg_index AS i
      WHERE i.indrelid = to_regclass(format('public.%I', wanted[1]))
        AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
        AND (SELECT array_agg(a.attname::text ORDER BY a.attname) FROM pg_attribute AS a
             WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)) =
            (SELECT array_agg(c ORDER BY c) FROM unnest(ARRAY[wanted[4], wanted[5]]) AS c WHERE c <> '')
    ) THEN
      EXECUTE format('ALTER TABLE public.%I ADD %s (%s)', wanted[1],
        CASE WHEN EXISTS (SELECT FROM pg_index WHERE indrelid = to_regclass(format('public.%I', wanted[1])) AND indisprimary)
          THEN 'UNIQUE' ELSE wanted[3] END,
        concat_ws(', ', wanted[4], NULLIF(wanted[5], '')));
    END IF;
  END LOOP;
  FOREACH wanted SLICE 1 IN ARRAY ARRAY[
    ['tenants', 'tenants_type_check', $c$CHECK (type IN ('client', 'solution', 'industry', 'platform'))$c$],
    ['tenants', 'tenants_status_check', $c$CHECK (status IN ('pending', 'active', 'suspended', 'archived', 'deleted'))$c$],
    ['tenants', 'tenants_parent_fkey', 'FOREIGN KEY (parent_tenant_id) REFERENCES public.tenants (id)'],
    ['tenants', 'tenants_parent_check', 'CHECK (parent_tenant_id <> id)'],
    ['user_tenants', 'user_tenants_tenant_fkey', 'FOREIGN KEY (tenant_id) REFERENCES public.tenants (id)'],
    ['user_tenants', 'user_tenants_role_check', $c$CHECK (role IN ('owner', 'admin', 'member', 'guest'))$c$],
    ['user_tenants', 'user_tenants_status_check', $c$CHECK (status IN ('active', 'invited', 'suspended', 'removed'))$c$],
    ['user_roles', 'user_roles_tenant_fkey', 'FOREIGN KEY (tenant_id) REFERENCES public.tenants (id)'],
    ['user_roles', 'user_roles_role_check',
     $c$CHECK (role IN ('platform_admin', 'platform_support', 'tenant_admin', 'tenant_owner', 'user'))$c$]
  ] LOOP
    -- dropped first: a found constraint of this name may allow other values
    EXECUTE format('ALTER TABLE public.%1$I DROP CONSTRAINT IF EXISTS %2$I, ADD CONSTRAINT %2$I %3$s',
      wanted[1], wanted[2], wanted[3]);
  END LOOP;
END
$$;

CREATE UNIQUE INDEX IF NOT EXISTS tenants_slug_once ON public.tenants (lower(slug));
CREATE UNIQUE INDEX IF NOT EXISTS tenants_domain_once ON public.tenants (lower(domain));
CREATE UNIQUE INDEX IF NOT EXISTS user_tenants_default_once ON public.user_tenants (user_id) WHERE is_default;
CREATE INDEX IF NOT EXISTS user_tenants_by_tenant ON public.user_tenants (tenant_id);
-- null is a value here: it means "everywhere" (NULLS NOT DISTINCT would need PostgreSQL 15)
CREATE UNIQUE INDEX IF NOT EXISTS user_roles_once
  ON public.user_roles (user_id, role, COALESCE(tenant_id, '00000000-0000-0000-0000-000000000000'));

INSERT INTO public.tenants (id, name, slug, type, status)
SELECT '00000000-0000-0000-0000-000000000001', 'Platform',
  CASE WHEN EXISTS (SELECT FROM public.tenants WHERE lower(slug) = 'platform') THEN 'twinrule-platform' ELSE 'platform' END,
  'platform', 'active'
ON CONFLICT (id) DO NOTHING;

-- Down Migration
DROP INDEX IF EXISTS public.tenants_slug_once, public.tenants_domain_once, public.user_tenants_default_once,
  public.user_tenants_by_tenant, public.user_roles_once;

DO $$
DECLARE
  made record;
BEGIN
  FOR made IN
    SELECT conrelid::regclass AS name, conname AS part FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND conname IN (
      'tenants_type_check', 'tenants_status_check', 'tenants_parent_fkey', 'tenants_parent_check',
      'user_tenants_tenant_fkey', 'user_tenants_role_check', 'user_tenants_status_check',
      'user_roles_tenant_fkey', 'user_roles_role_check')
  LOOP
    EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', made.name, made.part);
  END LOOP;
  -- rows go only with a table or column that the way up created
  FOR made IN
    DELETE FROM twinrule.created_objects WHERE migration = '0001_tenancy'
    RETURNING table_name AS name, column_name AS part
  LOOP
    IF made.part IS NULL THEN
      EXECUTE format('DROP TABLE IF EXISTS public.%I', made.name);
    ELSE
      EXECUTE format('ALTER TABLE IF EXISTS public.%I DROP COLUMN IF EXISTS %I', made.name, made.part);
    END IF;
  END LOOP;
END
$$;

DROP TABLE IF EXISTS twinrule.created_objects;
