import type { CatalogItem, CatalogKind, Fact } from '../db/catalog/item.js'
import type { Change, Difference } from './differences.js'
import type { DriftCode, DriftFinding } from './finding.js'

const CODES: Readonly<Record<CatalogKind, DriftCode>> = {
  policy: 'TWR_DRIFT_POLICY',
  table: 'TWR_DRIFT_TABLE',
  columns: 'TWR_DRIFT_TABLE',
  rule: 'TWR_DRIFT_TRIGGER',
  trigger: 'TWR_DRIFT_TRIGGER',
  'event trigger': 'TWR_DRIFT_TRIGGER',
  index: 'TWR_DRIFT_INDEX',
  constraint: 'TWR_DRIFT_INDEX',
  function: 'TWR_DRIFT_FUNCTION',
  schema: 'TWR_DRIFT_TABLE',
  database: 'TWR_DRIFT_TABLE',
  grants: 'TWR_DRIFT_GRANT',
  role: 'TWR_DRIFT_ROLE',
  membership: 'TWR_DRIFT_ROLE',
  settings: 'TWR_DRIFT_ROLE',
  'open relation': 'TWR_DRIFT_OPEN',
  'open function': 'TWR_DRIFT_OPEN'
}

const MIGRATE =
  'run `twinrule migrate --database URL` as a superuser, which puts it back; if it is wanted, put it into the policy'
const ACCEPT =
  'undo it; if it is wanted, run `twinrule migrate --database URL` as a superuser, which writes it down'

const WRITE_DOWN =
  'If it is for everybody, run `twinrule migrate --database URL` as a superuser, which writes that down'

/** Kinds of which a new object is nobody's business: the policy needs what it has, not that there is no more. */
const MAY_GROW: readonly CatalogKind[] = [
  'columns',
  'index',
  'constraint',
  'role',
  'settings',
  'schema',
  'database',
  'grants'
]
/** Kinds that applications may lose without harm. */
const MAY_GO: readonly CatalogKind[] = ['columns', 'open relation', 'open function', 'grants', 'settings']

/** The findings about one object. */
export function findingsOf(difference: Difference): readonly DriftFinding[] {
  switch (difference.what) {
    case 'missing': {
      const { kind, name, compiled } = difference.wanted
      if (MAY_GO.includes(kind)) return []
      const severity = compiled || kind === 'table' ? 'error' : 'warning'
      const message = `${called(kind, name)} is gone`
      const hint = compiled ? MIGRATE : hintFor(kind, difference.wanted.facts)
      return [finding(kind, name, { severity, message, hint, expected: 'there' })]
    }
    case 'extra':
      return MAY_GROW.includes(difference.live.kind) ? [] : [extra(difference.live)]
    case 'changed':
      return difference.changes.flatMap(change => changed(difference, change))
  }
}

function extra({ kind, name, facts }: CatalogItem): DriftFinding {
  const quoted = (part: string) => `"${part.replaceAll('"', '""')}"`
  const [first = '', second = ''] = name.split(kind === 'membership' ? ' IN ' : ' ON ')
  const severity = kind === 'event trigger' || kind === 'table' ? 'warning' : 'error'
  const base = { severity, found: 'there' } as const
  switch (kind) {
    case 'policy':
      return finding(kind, name, {
        ...base,
        message: `${called(kind, name)} is none of the compiled ones`,
        found: `${facts['permissive'] === true ? 'permissive' : 'restrictive'}, for ${text(facts['command'] ?? null)}, to ${text(facts['roles'] ?? null)}`,
        hint: `run DROP POLICY ${quoted(first)} ON ${second}; what it allows belongs into the policy files`
      })
    case 'membership':
      return finding(kind, name, {
        ...base,
        message: `the role ${first} is a member of ${second}`,
        hint: `run REVOKE ${quoted(second)} FROM ${quoted(first)}; as a superuser`
      })
    case 'open relation':
      return finding(kind, name, {
        ...base,
        message: `${name} is open to ${text(facts['roles'] ?? null)}: it has no forced row-level security`,
        hint: `take the privileges back, or make it a resource of the policy. ${WRITE_DOWN}`
      })
    case 'open function':
      return finding(kind, name, {
        ...base,
        message: `${name} is open to ${text(facts['roles'] ?? null)} and runs as ${text(facts['owner'] ?? null)}, outside of row-level security`,
        hint: `run REVOKE EXECUTE ON FUNCTION ${name} FROM PUBLIC; or make it SECURITY INVOKER. ${WRITE_DOWN}`
      })
    default:
      return finding(kind, name, {
        ...base,
        message: `${called(kind, name)} is new`,
        hint: kind === 'function' ? `drop it: the schema twinrule is for what twinrule generates` : ACCEPT
      })
  }
}

function changed({ wanted }: Difference & { what: 'changed' }, change: Change): readonly DriftFinding[] {
  const { kind, name, compiled } = wanted
  const { property, expected, found } = change
  if (kind === 'grants') return grantsChanged(name, expected as readonly string[], found as readonly string[])
  if (kind === 'open relation' || kind === 'open function') return grown(wanted, change)
  const harmless =
    kind === 'index' || kind === 'constraint' || (kind === 'event trigger' && !name.startsWith('twinrule_'))
  return [
    finding(kind, name, {
      severity: harmless ? 'warning' : 'error',
      property,
      expected: expected === null ? null : text(expected),
      found: found === null ? null : text(found),
      message: `${called(kind, name)}: ${WORDS[property] ?? property} changed`,
      hint: compiled || kind === 'table' ? MIGRATE : hintFor(kind, wanted.facts)
    })
  ]
}

function grantsChanged(
  name: string,
  expected: readonly string[],
  found: readonly string[]
): readonly DriftFinding[] {
  const on = /^(?:schema |database$|new objects$)/.test(name)
    ? name
    : name.endsWith(')')
      ? `the function ${name}`
      : name
  const given = found.filter(one => !expected.includes(one))
  const taken = expected.filter(one => !found.includes(one))
  const make = (entry: string, there: boolean) =>
    finding('grants', name, {
      severity: 'error',
      property: entry,
      expected: there ? null : entry,
      found: there ? entry : null,
      message: `${privilege(entry)} on ${on} ${there ? 'was granted by hand' : 'is gone'}`,
      hint: MIGRATE
    })
  return [...given.map(entry => make(entry, true)), ...taken.map(entry => make(entry, false))]
}

/** `SELECT (id) twinrule_app` as people say it. */
function privilege(entry: string): string {
  return entry.replace(/^([A-Z]+(?: \([^)]*\))?) /, '$1 to ')
}

/** What applications reach may become less. */
function grown(
  { kind, name }: { kind: CatalogKind; name: string },
  { property, expected, found }: Change
): readonly DriftFinding[] {
  if (Array.isArray(expected) && Array.isArray(found) && found.every(one => expected.includes(one))) return []
  const message = `${called(kind, name)}: ${WORDS[property] ?? property} changed`
  return [
    finding(kind, name, {
      severity: 'error',
      property,
      expected: text(expected),
      found: text(found),
      message,
      hint: ACCEPT
    })
  ]
}

function hintFor(kind: CatalogKind, facts: CatalogItem['facts']): string {
  const definition = facts['definition']
  return (kind === 'index' || kind === 'trigger') && typeof definition === 'string'
    ? `run ${definition}; or, if it is not wanted, \`twinrule migrate --database URL\`, which writes that down`
    : ACCEPT
}

/** Properties whose names are no words. */
const WORDS: Readonly<Record<string, string>> = {
  using: 'USING',
  check: 'WITH CHECK',
  enabled: 'row-level security (ENABLE)',
  forced: 'row-level security of the owner (FORCE)',
  body: 'the body',
  state: 'whether it fires',
  definer: 'SECURITY DEFINER',
  owner: 'the owner',
  entries: 'settings'
}

const NOUNS: Partial<Record<CatalogKind, string>> = {
  columns: 'the table',
  settings: 'settings of the role',
  schema: 'the schema'
}

function called(kind: CatalogKind, name: string): string {
  if (kind === 'database') return 'the database'
  return `${NOUNS[kind] ?? `the ${kind}`} ${name}`
}

function text(fact: Fact): string {
  return Array.isArray(fact) ? fact.join(', ') || 'none' : String(fact)
}

type Said = Partial<DriftFinding> & Pick<DriftFinding, 'severity' | 'message' | 'hint'>

function finding(kind: CatalogKind, object: string, said: Said): DriftFinding {
  const empty = { property: null, expected: null, found: null, counterexample: null }
  return { code: CODES[kind], kind, object, ...empty, ...said }
}
