import { PolicyError } from '../errors/errors.js'
import { suggest } from '../errors/suggest.js'
import { mapping, texts } from './sections.js'
import { parseSource, type Source } from './source.js'

const TENANCY = `version: 1
enums:
  tenant_type: [client, solution, industry, platform]
  tenant_status: [pending, active, suspended, archived, deleted]
  tenant_role: [owner, admin, member, guest]
principal:
  id: uuid
  tenant_id: uuid
  tenant_type: { type: tenant_type, source: lookup }
  tenant_status: { type: tenant_status, source: lookup }
  tenant_role: { type: tenant_role, source: lookup }
  roles: set<text>
  is_platform_admin: { type: bool, role: authz_platform_admin }
macros:
  mine: resource.tenant_id == principal.tenant_id
  admin: principal.is_platform_admin
traits:
  owned:
    columns: { id: uuid!, tenant_id: uuid! }
    immutable: [id]
    rules:
      platform-admin: { allow: [read, create, update, delete], when: admin }
      owner: { allow: [read, create, update, delete], when: mine }
`

const SHARING = `version: 1
enums:
  sharing_mode: [private, global, selective]
  resource_type: [platform, solution, industry, custom]
macros:
  published: resource.sharing_mode == "global" || resource.resource_type == "platform"
traits:
  sharable:
    columns:
      id: uuid!
      tenant_id: uuid!
      is_shared: bool!
      sharing_mode: sharing_mode!
      shared_with: set<uuid>!
      resource_type: resource_type!
    immutable: [id]
    rules:
      platform-admin: { allow: [read, create, update, delete], when: admin }
      owner: { allow: [read, create, update, delete], when: mine, check: mine && !published }
      global: { allow: [read], when: resource.is_shared && resource.sharing_mode == "global" }
      selective:
        allow: [read]
        when: >-
          resource.is_shared && resource.sharing_mode == "selective"
          && principal.tenant_id in resource.shared_with
`

/** Policy files that come with twinrule, and those that each of them builds on. */
const PRESETS: Readonly<Record<string, { readonly text: string; readonly needs: readonly string[] }>> = {
  /** What the tenancy tables know of a principal, and rows that belong to a tenant. */
  tenancy: { text: TENANCY, needs: [] },
  /** Rows that are private, shared with everyone or shared with chosen tenants. */
  sharing: { text: SHARING, needs: ['tenancy'] }
}

/** The names that `include` knows. */
export const PRESET_NAMES: readonly string[] = Object.keys(PRESETS)

/** The text of a preset, for those who want to read or copy it. @throws TypeError when there is none of that name */
export function presetText(name: string): string {
  const preset = Object.hasOwn(PRESETS, name) ? PRESETS[name] : undefined
  if (preset === undefined) throw new TypeError(`no preset: ${name}`)
  return preset.text
}

/** The presets that some files include, each once, with what they build on. They are checked like any other file. */
export function includedSources(sources: readonly Source[], problems: PolicyError[]): readonly Source[] {
  const wanted = new Set<string>()
  for (const source of sources) {
    for (const [i, name] of texts(mapping(source.value)['include']).entries()) {
      const preset = Object.hasOwn(PRESETS, name) ? PRESETS[name] : undefined
      if (preset !== undefined) for (const one of [...preset.needs, name]) wanted.add(one)
      else {
        const span = source.spanOf(['include', i])
        const hint = suggest(name, PRESET_NAMES, 'known')
        problems.push(new PolicyError('TWR_POLICY_INCLUDE', `unknown preset \`${name}\``, span, hint))
      }
    }
  }
  return [...wanted].flatMap(name => parseSource(`twinrule:${name}`, presetText(name)).source ?? [])
}
