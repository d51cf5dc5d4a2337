-- The five shared resource tables: whose a row is, and with whom it is shared.
--
-- All five get the same columns in one loop, so none can be forgotten. Rows without a tenant become the platform
-- tenant's and are shared globally, before the columns become NOT NULL.
--
-- is_shared and sharing_mode are not tied by a constraint: a row counts as shared only when both say so, so rows of
-- earlier systems where they disagree are private and can stay as they are.

-- Up Migration
DO $$
DECLARE
  migration constant text := '0002_resources';
  platform constant uuid := '00000000-0000-0000-0000-000000000001';
  target text;
  wanted text[];
  found text;
BEGIN
  FOREACH target IN ARRAY ARRAY['agents', 'tools', 'prompts', 'workflows', 'rag_knowledge_sources'] LOOP
    IF to_regclass(format('public.%I', target)) IS NULL THEN
      EXECUTE format('CREATE TABLE public.%I ()', target);
      INSERT INTO twinrule.created_objects VALUES (migration, target, NULL);
    END IF;
    FOREACH wanted SLICE 1 IN ARRAY ARRAY[
      ['id', 'uuid'],
      ['tenant_id', 'uuid'],
      ['created_by_user_id', 'uuid'],
      ['name', 'text'],
      ['description', 'text'],
      ['is_shared', 'boolean'],
      ['sharing_mode', 'text'],
      ['shared_with', 'uuid[]'],
      ['resource_type', 'text'],
      ['deleted_at', 'timestamp with time zone'],
      ['created_at', 'timestamp with time zone'],
      ['updated_at', 'timestamp with time zone']
    ] LOOP
      SELECT format_type(atttypid, atttypmod) INTO found FROM pg_attribute
        WHERE attrelid = to_regclass(format('public.%I', target)) AND attname = wanted[1] AND NOT attisdropped;
      IF found IS NULL THEN
        EXECUTE format('ALTER TABLE public.%I ADD COLUMN %I %s', target, wanted[1], wanted[2]);
        INSERT INTO twinrule.created_objects VALUES (migration, target, wanted[1]) ON CONFLICT DO NOTHING;
      ELSIF found <> wanted[2] AND wanted[2] <> 'timestamp with time zone' THEN
        -- a timestamp without zone stays: nobody can tell here in which zone it was written
        EXECUTE format('ALTER TABLE public.%1$I ALTER COLUMN %2$I DROP DEFAULT, ALTER COLUMN %2$I TYPE %3$s USING %2$I::%3$s',
          target, wanted[1], wanted[2]);
      END IF;
    END LOOP;

    EXECUTE format($sql$
      UPDATE public.%I SET tenant_id = $1, is_shared = true, sharing_mode = 'global',
        resource_type = COALESCE(resource_type, 'platform')
      WHERE tenant_id IS NULL $sql$, target) USING platform;
    EXECUTE format($sql$
      UPDATE public.%I SET
        id = COALESCE(id, gen_random_uuid()),
        name = COALESCE(name, 'unnamed'),
        is_shared = COALESCE(is_shared, false),
        sharing_mode = COALESCE(sharing_mode, 'private'),
        shared_with = COALESCE(shared_with, '{}'),
        resource_type = COALESCE(resource_type, 'custom'),
        created_at = COALESCE(created_at, now()),
        updated_at = COALESCE(updated_at, now())
      WHERE id IS NULL OR name IS NULL OR is_shared IS NULL OR sharing_mode IS NULL OR shared_with IS NULL
        OR resource_type IS NULL OR created_at IS NULL OR updated_at IS NULL $sql$, target);
    EXECUTE format($sql$
      ALTER TABLE public.%I
        ALTER COLUMN id SET DEFAULT gen_random_uuid(), ALTER COLUMN id SET NOT NULL,
        ALTER COLUMN tenant_id SET NOT NULL,
        ALTER COLUMN name SET NOT NULL,
        ALTER COLUMN is_shared SET DEFAULT false, ALTER COLUMN is_shared SET NOT NULL,
        ALTER COLUMN sharing_mode SET DEFAULT 'private', ALTER COLUMN sharing_mode SET NOT NULL,
        ALTER COLUMN shared_with SET DEFAULT '{}', ALTER COLUMN shared_with SET NOT NULL,
        ALTER COLUMN resource_type SET DEFAULT 'custom', ALTER COLUMN resource_type SET NOT NULL,
        ALTER COLUMN created_at SET DEFAULT now(), ALTER COLUMN created_at SET NOT NULL,
        ALTER COLUMN updated_at SET DEFAULT now(), ALTER COLUMN updated_at SET NOT NULL $sql$, target);

    IF NOT EXISTS (
      SELECT FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
      WHERE i.indrelid = to_regclass(format('public.%I', target)) AND i.indisunique AND i.indisvalid
        AND i.indnkeyatts = 1 AND i.indpred IS NULL AND a.attname = 'id'
    ) THEN
      EXECUTE format('ALTER TABLE public.%I ADD %s (id)', target,
        CASE WHEN EXISTS (SELECT FROM pg_index WHERE indrelid = to_regclass(format('public.%I', target)) AND indisprimary)
          THEN 'UNIQUE' ELSE 'PRIMARY KEY' END);
    END IF;
    FOREACH wanted SLICE 1 IN ARRAY ARRAY[
      ['tenant_fkey', 'FOREIGN KEY (tenant_id) REFERENCES public.tenants (id)'],
      ['sharing_mode_check', $c$CHECK (sharing_mode IN ('private', 'global', 'selective'))$c$],
      ['resource_type_check', $c$CHECK (resource_type IN ('platform', 'solution', 'industry', 'custom'))$c$]
    ] LOOP
      -- dropped first: a found constraint of this name may allow other values
      EXECUTE format('ALTER TABLE public.%1$I DROP CONSTRAINT IF EXISTS %2$I, ADD CONSTRAINT %2$I %3$s',
        target, target || '_' || wanted[1], wanted[2]);
    END LOOP;
    EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON public.%I (tenant_id, created_at DESC, id)', target || '_by_tenant', target);
    EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON public.%I USING gin (shared_with)', target || '_shared_with', target);
    EXECUTE format($sql$ CREATE INDEX IF NOT EXISTS %I ON public.%I (created_at DESC, id)
      WHERE is_shared AND sharing_mode = 'global' $sql$, target || '_global', target);
  END LOOP;
END
$$;

-- Down Migration
DO $$
DECLARE
  target text;
  made record;
BEGIN
  FOREACH target IN ARRAY ARRAY['agents', 'tools', 'prompts', 'workflows', 'rag_knowledge_sources'] LOOP
    EXECUTE format('DROP INDEX IF EXISTS public.%I, public.%I, public.%I',
      target || '_by_tenant', target || '_shared_with', target || '_global');
    EXECUTE format('ALTER TABLE IF EXISTS public.%I DROP CONSTRAINT IF EXISTS %I, DROP CONSTRAINT IF EXISTS %I, DROP CONSTRAINT IF EXISTS %I',
      target, target || '_tenant_fkey', target || '_sharing_mode_check', target || '_resource_type_check');
  END LOOP;
  -- rows go only with a table or column that the way up created
  FOR made IN
    DELETE FROM twinrule.created_objects WHERE migration = '0002_resources'
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
