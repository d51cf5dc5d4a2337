import type { Bundle } from '../../src/ir/model.js'
import { loadTexts } from '../../src/policy/load.js'

/** Every kind of atom, negated and not, on a column of every kind, in few enough cases to be proved often. */
export const EVERY_ATOM = `version: 1
enums:
  mode: [draft, open, closed]
  tenant_type: [client, solution, industry, platform]
principal:
  id: uuid
  tenant_id: uuid
  tenant_type: tenant_type
  tenant_role: text
  roles: set<text>
  is_auditor: { type: bool, role: authz_auditor }
resources:
  note:
    table: notes
    columns: { id: uuid!, tenant_id: uuid, mode: mode, readers: set<uuid>, done: bool }
    rules:
      mine: { allow: [read, update, delete], when: resource.tenant_id == principal.tenant_id }
      foreign: { allow: [read], when: resource.tenant_id != principal.tenant_id && resource.mode == "open" }
      shared: { allow: [create], when: principal.id in resource.readers && !resource.done }
      hidden:
        allow: [create]
        when: principal.tenant_id not in resource.readers && resource.mode in ["draft", "open"]
      auditor: { allow: [read, update], when: principal.is_auditor }
      closed: { forbid: [update], when: resource.mode == "closed" }
  file:
    table: files
    columns: { id: uuid!, mode: mode, role: text }
    rules:
      role: { allow: [update], when: resource.role in principal.roles }
      stranger:
        allow: [delete]
        when: resource.role not in principal.roles && resource.mode not in ["draft", "open"]
      plain: { allow: [read], when: 'true' }
      auditor: { allow: [delete], when: principal.is_auditor }
      named: { allow: [create], when: resource.role == principal.tenant_role && "editor" in principal.roles }
  part:
    table: parts
    columns: { id: uuid!, mode: mode, other_mode: mode, level: int, size: int!, until: timestamptz }
    rules:
      any: { allow: [read], when: 'true' }
      small:
        allow: [update]
        when: resource.mode == null || resource.other_mode != null
        check: resource.level < 10 && resource.size == 5
      early: { allow: [create], when: principal.tenant_type != "client" && resource.until > now }
`

/** Related rows: of a plain table and of another resource, asked for and forbidden. */
export const RELATED_ROWS = `version: 1
principal:
  id: uuid
  tenant_id: uuid
  is_auditor: { type: bool, role: authz_auditor }
resources:
  folder:
    table: folders
    columns: { id: uuid!, tenant_id: uuid, hidden: bool }
    rules:
      mine: { allow: [read], when: resource.tenant_id == principal.tenant_id }
      auditor: { allow: [read], when: principal.is_auditor }
      hidden: { forbid: [read], when: resource.hidden }
  page:
    table: pages
    columns: { id: uuid!, folder_id: uuid, tenant_id: uuid }
    relations:
      folder: { one: folder }
      shares: { many: page_shares, columns: { user_id: uuid, level: text } }
    rules:
      inherited: { allow: [read], when: 'resource.folder.can("read")' }
      writer:
        allow: [create]
        when: 'resource.shares.exists(s, s.user_id == principal.id && s.level != "read")'
      mine: { allow: [delete], when: resource.tenant_id == principal.tenant_id }
      blocked: { forbid: [delete], when: 'resource.shares.exists(s, s.level == "none")' }
`

/** Immutable columns and column rules, over related rows too, which not every role may read. */
export const GUARDED = `version: 1
principal: { id: uuid, tenant_id: uuid, roles: set<text>, is_auditor: { type: bool, role: authz_auditor } }
macros: { mine: resource.tenant_id == principal.tenant_id }
resources:
  folder:
    table: folders
    columns: { id: uuid!, tenant_id: uuid!, is_open: bool }
    rules:
      owner: { allow: [read], when: mine }
      auditor: { allow: [read], when: principal.is_auditor }
  file:
    table: files
    columns: { id: uuid!, tenant_id: uuid!, title: text, level: int, tags: set<text> }
    relations: { shares: { many: file_shares, columns: { user_id: uuid, level: text } } }
    immutable: [id]
    column_rules:
      - { columns: [title, tags], when: 'mine || "editor" in principal.roles' }
      - { columns: [level, title], when: 'resource.shares.exists(s, s.user_id == principal.id && s.level != "read")' }
    rules:
      owner: { allow: [read, update], when: mine }
  paper:
    table: papers
    columns: { id: uuid!, folder_id: uuid, level: int, title: text }
    relations: { folder: { one: folder } }
    immutable: [id]
    column_rules:
      - { columns: [folder_id, level], when: 'resource.level > 3 && !resource.folder.exists(f, f.is_open)' }
    rules:
      inherited: { allow: [read, update], when: 'resource.folder.can("read")' }
      auditor: { allow: [read, update], when: principal.is_auditor }
`

/** A bundle from policy text. @throws Error with the problems */
export function bundleOf(text: string): Bundle {
  const { bundle, problems } = loadTexts({ 'policy.yaml': text })
  if (bundle === null) throw new Error(problems.map(String).join('\n'))
  return bundle
}
