import { PolicyError } from '../errors/errors.js'
import { suggest } from '../errors/suggest.js'
import { DELETE_WAYS, type DeleteThrough, type Through } from '../ir/model.js'
import type { Column } from '../ir/types.js'
import type { Surroundings } from './conditions.js'
import { type Declared, mapping } from './sections.js'
import type { Path, Source } from './source.js'

/** The column in which a deletion is noted that keeps the row, of a resource or one of its traits; null for none. */
export function resolveSoftDelete(
  owners: readonly Declared[],
  around: Surroundings,
  problems: PolicyError[]
): string | null {
  const written = declaredOnce('soft_delete', owners, around.resource, problems)
  return written === null ? null : softDeleteColumn(written, around, problems)
}

/** How rows of a resource are deleted for good, as it or one of its traits says; null where none does. */
export function resolveDeleteThrough(
  owners: readonly Declared[],
  resource: string,
  problems: PolicyError[]
): DeleteThrough | null {
  const written = declaredOnce('delete_through', owners, resource, problems)
  return DELETE_WAYS.find(way => way === written?.name) ?? null
}

interface Written {
  readonly name: string
  readonly source: Source
  readonly path: Path
}

/** A text that a resource and its traits give together at most once. */
function declaredOnce(
  key: string,
  owners: readonly Declared[],
  resource: string,
  problems: PolicyError[]
): Written | null {
  const written = owners.flatMap(({ value, source, path }) => {
    const name = mapping(value)[key]
    return typeof name === 'string' ? [{ name, source, path: [...path, key] }] : []
  })
  const [first, second] = written
  if (second !== undefined) {
    const message = `\`${key}\` of ${resource} is declared twice`
    const hint = 'the resource and the traits that it uses share it'
    problems.push(
      new PolicyError('TWR_POLICY_DUPLICATE', message, second.source.keySpanOf(second.path), hint)
    )
  }
  return first ?? null
}

function softDeleteColumn(
  { name, source, path }: Written,
  { columns, complete, resource }: Surroundings,
  problems: PolicyError[]
): string | null {
  const span = source.spanOf(path)
  const column = columns.get(name)
  // one that is misdeclared, or of a trait that is missing, is reported there
  if (column === null || (column === undefined && !complete)) return null
  if (column === undefined) {
    const message = `${resource} has no column \`${name}\``
    const hint = suggest(name, [...columns.keys()], 'declared')
    problems.push(new PolicyError('TWR_POLICY_UNKNOWN_COLUMN', message, span, hint))
    return null
  }
  if (column.type.kind === 'timestamptz' && column.nullable) return name
  const message = `\`${name}\` cannot hold the time of a deletion`
  const hint = `it is null until then: declare ${name}: timestamptz`
  problems.push(new PolicyError('TWR_POLICY_SOFT_DELETE', message, span, hint))
  return null
}

interface Shape {
  readonly fits: (column: Column) => boolean
  readonly declare: string
}

const isUuid = ({ type }: Column): boolean => type.kind === 'uuid'

/** The columns that a function writes, and what they must be. */
const SHAPES: Readonly<Record<Through, Readonly<Record<string, Shape>>>> = {
  share: {
    is_shared: { fits: ({ type }) => type.kind === 'bool', declare: 'bool!' },
    sharing_mode: {
      fits: ({ type }) =>
        type.kind === 'text' ||
        (type.kind === 'enum' && ['private', 'selective'].every(label => type.labels.includes(label))),
      declare: 'an enum with private and selective, and global if rows can be shared with everyone'
    },
    shared_with: {
      fits: ({ type }) => type.kind === 'set' && type.of.kind === 'uuid',
      declare: 'set<uuid>!'
    }
  },
  transfer: { tenant_id: { fits: isUuid, declare: 'uuid!' } }
}

/** The function through which the columns of a rule change, or null: any update may, or the reason was reported. */
export function resolveThrough(
  { value, source, path }: Declared,
  columns: readonly string[],
  around: Surroundings,
  problems: PolicyError[]
): Through | null {
  const through = mapping(value)['through']
  if (through !== 'share' && through !== 'transfer') return null
  const shapes = SHAPES[through]
  const at = [...path, 'through']
  const refuse = (message: string, hint: string): null => {
    problems.push(new PolicyError('TWR_POLICY_THROUGH', message, source.spanOf(at), hint))
    return null
  }
  const names = Object.keys(shapes)
  if (names.some(name => !columns.includes(name)) || columns.some(name => !names.includes(name))) {
    return refuse(
      `\`through: ${through}\` stands on a rule about other columns`,
      `the columns of that function are ${names.join(', ')}, all of them in one rule`
    )
  }
  for (const [name, { fits, declare }] of Object.entries(shapes)) {
    const column = around.columns.get(name)
    if (column && !fits(column)) {
      return refuse(`the function ${through}() cannot write \`${name}\``, `declare it as ${declare}`)
    }
  }
  return through
}
