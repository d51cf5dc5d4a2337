import { loadTexts } from '../../src/policy/load.js'

/** A policy file without resources: the first nine lines. */
export const HEAD = `version: 1
enums: { mode: [private, global] }
principal:
  id: uuid
  tenant_id: uuid
  roles: set<text>
  is_platform_admin: { type: bool, role: authz_platform_admin }
macros:
  mine: resource.tenant_id == principal.tenant_id
`
/** The columns of the resource in the cases. */
export const COLUMNS =
  '{ id: uuid!, tenant_id: uuid!, mode: mode!, n: int, tags: set<text>, open: bool, owner: uuid }'

/** A policy file with one rule whose condition starts at line 15, column 29. */
export function withCondition(condition: string): string {
  return `${HEAD}resources:
  doc:
    table: docs
    columns: ${COLUMNS}
    rules:
      r: { allow: [read], when: ${condition} }
`
}

/** Each problem as `line:column CODE`. */
export function problemsOf(text: string): readonly string[] {
  return loadTexts({ 'p.yaml': text }).problems.map(({ span, code }) => `${span.line}:${span.column} ${code}`)
}

/** The first problem of a file in full. */
export function first(text: string): { message: string; hint: string | undefined; at: string } {
  const [problem] = loadTexts({ 'p.yaml': text }).problems
  if (problem === undefined) throw new Error('no problem was reported')
  const { span, code, message, hint } = problem
  return { message, hint, at: `${span.line}:${span.column}-${span.endLine}:${span.endColumn} ${code}` }
}
