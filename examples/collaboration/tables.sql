-- The tables of the example that the base migrations do not have. Run it after them: `twinrule migrate` first with the
-- policies of the repository, then this file, then `twinrule migrate --policies examples/collaboration/policies`.
ALTER TABLE public.tools ADD COLUMN IF NOT EXISTS workflow_id uuid REFERENCES public.workflows (id);

CREATE TABLE IF NOT EXISTS public.documents (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant_id uuid NOT NULL REFERENCES public.tenants (id),
  owner_id uuid,
  title text NOT NULL,
  expires_at timestamptz
);
CREATE INDEX IF NOT EXISTS documents_by_tenant ON public.documents (tenant_id, id);

CREATE TABLE IF NOT EXISTS public.document_shares (
  document_id uuid NOT NULL REFERENCES public.documents (id) ON DELETE CASCADE,
  tenant_id uuid NOT NULL,
  level text,
  PRIMARY KEY (document_id, tenant_id)
);

-- The role that the policy asks for, beside those that the base migrations know.
ALTER TABLE public.user_roles DROP CONSTRAINT IF EXISTS user_roles_role_check, ADD CONSTRAINT user_roles_role_check
  CHECK (role IN ('platform_admin', 'platform_support', 'tenant_admin', 'tenant_owner', 'user', 'editor'));
