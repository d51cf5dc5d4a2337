import { PolicyError } from '../errors/errors.js'
import type { Bundle, Resource } from '../ir/model.js'
import { type Path, parseSource, type Source } from '../policy/source.js'
import { shapeOf, shapeProblems } from '../policy/validate.js'
import type { Known, TestCase, WrittenTest } from './case.js'
import { casesOf } from './cases.js'
import { reportConflicts } from './conflicts.js'
import type { Fixtures, JsonRow, PlainRow, Principal, Row, Tenant } from './fixtures.js'
import { Names } from './names.js'
import { idIn, readPrincipal, readTenant } from './people.js'
import { entriesOf, listOf, type Reader, readType } from './reader.js'
import { Rows, targetOf } from './rows.js'
import { TEST_SCHEMA } from './schema.js'

/** A test file: what it sets up, and what it asks. */
export interface TestFile {
  readonly file: string
  readonly fixtures: Fixtures
  readonly cases: readonly TestCase[]
}

const testShape = shapeOf(TEST_SCHEMA)

/** Reads a test file, or gives every mistake in it. Pure. */
export function readTestFile(
  bundle: Bundle,
  file: string,
  text: string
): { readonly test: TestFile | null; readonly problems: readonly PolicyError[] } {
  const { source, problems } = parseSource(file, text)
  if (source === null) return { test: null, problems }
  const shape = shapeProblems(source, testShape)
  if (problems.length + shape.length > 0) return { test: null, problems: [...problems, ...shape] }
  const found: PolicyError[] = []
  const test = read(bundle, source, found)
  return { test: found.length === 0 ? test : null, problems: distinct(found) }
}

/** Defaults are read for each row: their mistakes are the same ones. */
function distinct(problems: readonly PolicyError[]): readonly PolicyError[] {
  const byPlace = (a: PolicyError, b: PolicyError) =>
    a.span.line - b.span.line || a.span.column - b.span.column
  return [...new Map(problems.map(one => [String(one), one])).values()].sort(byPlace)
}

interface Written {
  readonly tenants?: unknown
  readonly principals?: unknown
  readonly defaults?: Readonly<Record<string, unknown>>
  readonly rows?: unknown
  readonly tests: readonly WrittenTest[]
}

function read(bundle: Bundle, source: Source, problems: PolicyError[]): TestFile {
  const written = source.value as Written
  const reading = { source, problems }
  const reader: Reader = { ...reading, bundle, names: new Names(reading) }
  const rows = new Rows(reader, written.defaults ?? {})
  for (const [type] of entriesOf(written.defaults)) readType(reader, type, ['defaults', type])
  const named = namedRows(reader, written)
  declareAll(reader, rows, written, named)
  const tenants = new Map(
    entriesOf(written.tenants).map(([name, value]) => [
      name,
      readTenant(reader, name, value, ['tenants', name])
    ])
  )
  const principals = readPrincipals(reader, tenants, written)
  for (const { resource, name, value, path } of [...named, ...inlineRows(reader, written)]) {
    rows.add(resource, name, value, path)
  }
  const fixtures = fixturesOf(bundle, rows.finish(), principals, tenants)
  reportConflicts(reading, fixtures)
  const known: Known = {
    principals,
    rows: new Map(fixtures.rows.map(row => [row.name, row])),
    fixtures
  }
  const cases = written.tests.flatMap((test, i) => casesOf(reader, known, test, ['tests', i]))
  return { file: source.file, fixtures, cases }
}

interface WrittenRow {
  readonly resource: Resource
  readonly name: string
  readonly value: unknown
  readonly path: Path
}

function namedRows(reader: Reader, { rows }: Written): readonly WrittenRow[] {
  return entriesOf(rows).flatMap(([type, ofType]) => {
    const resource = readType(reader, type, ['rows', type])
    return entriesOf(ofType).flatMap(([name, value]) => {
      return resource === undefined ? [] : [{ resource, name, value, path: ['rows', type, name] }]
    })
  })
}

/** Rows that stand in a test: `{ type: columns }`. */
function inlineRows(reader: Reader, { tests }: Written): readonly WrittenRow[] {
  return tests.flatMap(({ what }, i) =>
    listOf(what, ['tests', i, 'what']).flatMap(({ value, path }) => {
      const [first, ...more] = entriesOf(value)
      if (first === undefined) return []
      const [type, columns] = first
      if (more.length > 0) {
        const message = 'a row of its own has one key, its type'
        reader.problems.push(new PolicyError('TWR_TEST_SHAPE', message, reader.source.spanOf(path)))
      }
      const resource = readType(reader, type, [...path, type])
      // it is found by the place of the test, so that place is its name
      return resource === undefined ? [] : [{ resource, name: path.join('.'), value: columns, path }]
    })
  )
}

/** Names come first: any value may be one. */
function declareAll(reader: Reader, rows: Rows, written: Written, named: readonly WrittenRow[]): void {
  for (const [name, value] of entriesOf(written.tenants)) {
    const path: Path = ['tenants', name]
    reader.names.declare(name, { kind: 'tenant' }, idIn(reader, 'tenant', name, value, path), path)
  }
  for (const [name, value] of entriesOf(written.principals)) {
    const path: Path = ['principals', name]
    reader.names.declare(name, { kind: 'principal' }, idIn(reader, 'principal', name, value, path), path)
  }
  for (const { resource, name, value, path } of named) {
    const named = { kind: 'row', type: resource.name } as const
    reader.names.declare(name, named, String(rows.idFor(resource, name, value, path)), path)
  }
}

function readPrincipals(
  reader: Reader,
  tenants: ReadonlyMap<string, Tenant>,
  written: Written
): ReadonlyMap<string, Principal> {
  const all = [
    ...entriesOf(written.principals).map(([name, value]) => ({
      name,
      value,
      path: ['principals', name] as Path
    })),
    ...written.tests.flatMap(({ who }, i) =>
      listOf(who, ['tests', i, 'who']).flatMap(({ value, path }) =>
        typeof value === 'object' ? [{ name: path.join('.'), value, path }] : []
      )
    )
  ]
  return new Map(
    all.flatMap(({ name, value, path }) => {
      const principal = readPrincipal(reader, tenants, name, value, path)
      return principal === null ? [] : [[name, principal] as const]
    })
  )
}

function fixturesOf(
  bundle: Bundle,
  made: ReturnType<Rows['finish']>,
  principals: ReadonlyMap<string, Principal>,
  tenants: ReadonlyMap<string, Tenant>
): Fixtures {
  const { rows, plain, direct } = made
  const people = [...principals.values()]
  return {
    // a tenant that several principals name is one object
    tenants: [...new Set([...tenants.values(), ...people.map(({ tenant }) => tenant)])],
    principals: people,
    rows,
    plain,
    related: (resource, columns, row) =>
      Object.fromEntries(
        resource.relations.map(relation => {
          const own = direct.get(`${row} ${relation.name}`)
          return [relation.name, own ?? joined(bundle, relation, columns, { rows, plain })]
        })
      )
  }
}

/** The rows whose `remote` is the row's `local`, as the database joins them. */
function joined(
  bundle: Bundle,
  relation: Resource['relations'][number],
  columns: JsonRow,
  { rows, plain }: { readonly rows: readonly Row[]; readonly plain: readonly PlainRow[] }
): readonly JsonRow[] {
  const key = columns[relation.local] ?? null
  if (key === null) return []
  const target = targetOf(bundle, relation)
  const others =
    target === undefined
      ? plain.filter(({ table }) => table === relation.table)
      : rows.filter(({ resource }) => resource === target)
  return others
    .filter(other => other.columns[relation.remote] === key)
    .map(other => Object.fromEntries(relation.columns.map(({ name }) => [name, other.columns[name] ?? null])))
}
