import { PolicyError } from '../errors/errors.js'
import { suggest } from '../errors/suggest.js'
import type { Column, PrincipalAttribute } from '../ir/model.js'
import { flaggedRole, PRINCIPAL_SOURCES } from '../ir/principal.js'
import { type ScalarType, type Type, typeName } from '../ir/types.js'
import type { Path, Source } from './source.js'

/** Enum labels by name; null for one that is declared but misshapen, so that its use is not reported again. */
export type Enums = ReadonlyMap<string, readonly string[] | null>

/** The types that need no declaration. */
export const BUILT_IN: Readonly<Record<string, ScalarType>> = {
  uuid: { kind: 'uuid' },
  text: { kind: 'text' },
  bool: { kind: 'bool' },
  int: { kind: 'int' },
  date: { kind: 'date' },
  timestamptz: { kind: 'timestamptz' }
}

/** Types of PostgreSQL on which JavaScript and SQL do not agree, and what to do instead. */
const REFUSED_TYPES: Readonly<Record<string, string>> = {
  timestamp: 'a time without zone means something else in every session; use timestamptz',
  numeric: 'numeric and JavaScript numbers round differently; use int in the smallest unit',
  float: 'floating point numbers do not compare exactly; use int in the smallest unit',
  json: 'declare what rules read of it as columns of its own',
  jsonb: 'declare what rules read of it as columns of its own',
  varchar: 'use text',
  char: 'char(n) pads with blanks; use text',
  citext: 'case rules differ between the two sides; keep a lower case text column',
  bytea: 'rules cannot compare bytes; use text',
  inet: 'rules cannot compare addresses; use text',
  integer: 'use int',
  bigint: 'use int',
  boolean: 'use bool'
}

/** A declared type, or null when it was reported (now or with the enum that it names). */
export function declaredType(
  text: string,
  enums: Enums,
  source: Source,
  path: Path,
  problems: PolicyError[]
): { type: Type; nullable: boolean } | null {
  const parts = /^(?:set<([^<>]*)>|([^<>!]*))(!?)$/.exec(text.trim())
  const name = (parts?.[1] ?? parts?.[2] ?? text).trim()
  const scalar = parts === null ? null : scalarType(name, enums)
  if (parts !== null && scalar !== null) {
    const type: Type = parts[1] === undefined ? scalar : { kind: 'set', of: scalar }
    return { type, nullable: parts[3] !== '!' }
  }
  if (enums.get(name) === null) return null
  const span = source.spanOf(path)
  const hint = REFUSED_TYPES[name] ?? suggest(name, [...Object.keys(BUILT_IN), ...enums.keys()], 'types')
  problems.push(new PolicyError('TWR_POLICY_UNKNOWN_TYPE', `unknown type \`${text}\``, span, hint))
  return null
}

function scalarType(name: string, enums: Enums): ScalarType | null {
  if (Object.hasOwn(BUILT_IN, name)) return BUILT_IN[name] ?? null
  const labels = enums.get(name) ?? null
  return labels === null ? null : { kind: 'enum', name, labels }
}

/** The declared columns at a path; a misdeclared one stays as null, so that conditions on it are not reported again. */
export function declaredColumns(
  value: Readonly<Record<string, unknown>>,
  enums: Enums,
  source: Source,
  path: Path,
  problems: PolicyError[]
): Map<string, Column | null> {
  const columns = new Map<string, Column | null>()
  for (const [name, text] of Object.entries(value)) {
    const declared =
      typeof text === 'string' ? declaredType(text, enums, source, [...path, name], problems) : null
    columns.set(name, declared && { name, ...declared, span: source.spanOf([...path, name]) })
  }
  return columns
}

/** One principal attribute, or null when it was reported. */
export function principalAttribute(
  name: string,
  value: unknown,
  enums: Enums,
  source: Source,
  path: Path,
  problems: PolicyError[]
): PrincipalAttribute | null {
  const written = (typeof value === 'string' ? { type: value } : value) as Record<string, unknown> | null
  if (typeof written?.['type'] !== 'string') return null
  const typePath = typeof value === 'string' ? path : [...path, 'type']
  const declared = declaredType(written['type'], enums, source, typePath, problems)
  if (declared === null) return null
  const role = typeof written['role'] === 'string' ? written['role'] : undefined
  const fault = role === undefined ? sourceFault(name, declared.type) : flagFault(name, declared.type)
  if (fault !== null) {
    const [message, hint] = fault
    problems.push(new PolicyError('TWR_POLICY_PRINCIPAL_SOURCE', message, source.keySpanOf(path), hint))
    return null
  }
  const base = {
    name,
    type: declared.type,
    source: written['source'] === 'lookup' ? ('lookup' as const) : ('context' as const)
  }
  return role === undefined ? base : { ...base, role }
}

function sourceFault(name: string, type: Type): readonly [string, string] | null {
  const known = Object.hasOwn(PRINCIPAL_SOURCES, name) ? PRINCIPAL_SOURCES[name] : undefined
  if (known === undefined) {
    if (flaggedRole(name) !== null && type.kind === 'bool') {
      return [
        `nothing supplies principal.${name}`,
        `a role flag names its PostgreSQL role: { type: bool, role: authz_${flaggedRole(name)} }`
      ]
    }
    return [`nothing supplies principal.${name}`, suggest(name, Object.keys(PRINCIPAL_SOURCES), 'known')]
  }
  if (known.accepts(type)) return null
  return [
    `principal.${name}, ${known.describes}, cannot be ${typeName(type)}`,
    `declare it as ${known.expected}`
  ]
}

function flagFault(name: string, type: Type): readonly [string, string] | null {
  if (flaggedRole(name) === null) {
    return [
      `the role flag principal.${name} does not say which role it stands for`,
      'call it is_<role>, for example is_platform_admin'
    ]
  }
  return type.kind === 'bool'
    ? null
    : [`the role flag principal.${name} is not a bool`, 'declare it with type: bool']
}
