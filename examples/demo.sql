-- Demo data: four tenants, four users, four agents and a few rows in the other tables. Loading it again changes nothing.

INSERT INTO public.tenants (id, name, slug, domain, type, parent_tenant_id, status) VALUES
  ('00000000-0000-0000-0000-000000000001', 'Platform', 'platform', NULL, 'platform', NULL, 'active'),
  ('00000000-0000-0000-0000-00000000000a', 'Acme', 'acme', 'acme.example', 'client', '00000000-0000-0000-0000-000000000001', 'active'),
  ('00000000-0000-0000-0000-00000000000b', 'Globex', 'globex', 'globex.example', 'client', '00000000-0000-0000-0000-000000000001', 'active'),
  ('00000000-0000-0000-0000-00000000000c', 'Initech', 'initech', NULL, 'solution', NULL, 'active')
ON CONFLICT (id) DO NOTHING;

-- root, ada, gus and ivy
INSERT INTO public.user_tenants (user_id, tenant_id, role, status, is_default) VALUES
  ('00000000-0000-0000-0001-000000000001', '00000000-0000-0000-0000-000000000001', 'member', 'active', true),
  ('00000000-0000-0000-0001-00000000000a', '00000000-0000-0000-0000-00000000000a', 'owner', 'active', true),
  ('00000000-0000-0000-0001-00000000000b', '00000000-0000-0000-0000-00000000000b', 'member', 'active', true),
  ('00000000-0000-0000-0001-00000000000c', '00000000-0000-0000-0000-00000000000c', 'member', 'active', true)
ON CONFLICT (user_id, tenant_id) DO NOTHING;

INSERT INTO public.user_roles (user_id, role, tenant_id) VALUES
  ('00000000-0000-0000-0001-000000000001', 'platform_admin', NULL),
  ('00000000-0000-0000-0001-00000000000a', 'tenant_owner', '00000000-0000-0000-0000-00000000000a')
ON CONFLICT DO NOTHING;

INSERT INTO public.agents
  (id, tenant_id, created_by_user_id, name, description, is_shared, sharing_mode, shared_with, resource_type) VALUES
  ('00000000-0000-0000-0002-000000000001', '00000000-0000-0000-0000-00000000000a', '00000000-0000-0000-0001-00000000000a',
   'Acme support', 'Answers the customers of Acme', false, 'private', '{}', 'custom'),
  ('00000000-0000-0000-0002-000000000002', '00000000-0000-0000-0000-00000000000a', '00000000-0000-0000-0001-00000000000a',
   'Acme logistics', 'Shared with Globex', true, 'selective', '{00000000-0000-0000-0000-00000000000b}', 'custom'),
  ('00000000-0000-0000-0002-000000000003', '00000000-0000-0000-0000-000000000001', NULL,
   'Translator', 'For everyone', true, 'global', '{}', 'platform'),
  ('00000000-0000-0000-0002-000000000004', '00000000-0000-0000-0000-00000000000b', '00000000-0000-0000-0001-00000000000b',
   'Globex research', NULL, false, 'private', '{}', 'custom')
ON CONFLICT (id) DO NOTHING;

INSERT INTO public.tools (id, tenant_id, created_by_user_id, name, description, is_shared, sharing_mode, shared_with, resource_type) VALUES
  ('00000000-0000-0000-0003-000000000001', '00000000-0000-0000-0000-000000000001', NULL,
   'Calculator', NULL, true, 'global', '{}', 'platform'),
  ('00000000-0000-0000-0003-000000000002', '00000000-0000-0000-0000-00000000000a', '00000000-0000-0000-0001-00000000000a',
   'Acme orders', 'Looks up orders', false, 'private', '{}', 'custom')
ON CONFLICT (id) DO NOTHING;

INSERT INTO public.prompts (id, tenant_id, created_by_user_id, name, description, is_shared, sharing_mode, shared_with, resource_type) VALUES
  ('00000000-0000-0000-0004-000000000001', '00000000-0000-0000-0000-00000000000b', NULL,
   'Globex tone of voice', NULL, true, 'selective',
   '{00000000-0000-0000-0000-00000000000a,00000000-0000-0000-0000-00000000000c}', 'industry'),
  -- shared by its flag alone: both columns must say so, so this one is private
  ('00000000-0000-0000-0004-000000000002', '00000000-0000-0000-0000-00000000000b', '00000000-0000-0000-0001-00000000000b',
   'Globex draft', NULL, true, 'private', '{}', 'custom')
ON CONFLICT (id) DO NOTHING;

INSERT INTO public.workflows (id, tenant_id, created_by_user_id, name, description, is_shared, sharing_mode, shared_with, resource_type) VALUES
  ('00000000-0000-0000-0005-000000000001', '00000000-0000-0000-0000-00000000000c', '00000000-0000-0000-0001-00000000000c',
   'Initech onboarding', 'Four steps', false, 'private', '{}', 'solution'),
  ('00000000-0000-0000-0005-000000000002', '00000000-0000-0000-0000-00000000000a', NULL,
   'Acme returns', NULL, true, 'selective', '{00000000-0000-0000-0000-00000000000b}', 'custom')
ON CONFLICT (id) DO NOTHING;

INSERT INTO public.rag_knowledge_sources (id, tenant_id, created_by_user_id, name, description, is_shared, sharing_mode, shared_with, resource_type) VALUES
  ('00000000-0000-0000-0006-000000000001', '00000000-0000-0000-0000-000000000001', NULL,
   'Product manual', 'Read by everyone', true, 'global', '{}', 'platform'),
  ('00000000-0000-0000-0006-000000000002', '00000000-0000-0000-0000-00000000000b', '00000000-0000-0000-0001-00000000000b',
   'Globex contracts', NULL, false, 'private', '{}', 'custom')
ON CONFLICT (id) DO NOTHING;
