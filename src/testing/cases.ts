import { suggest } from '../errors/suggest.js'
import type { JsonValue } from '../ir/json.js'
import type { Resource } from '../ir/model.js'
import type { Path } from '../policy/source.js'
import { actionsOf, caseOf, found, type Known, shape, type TestCase, type WrittenTest } from './case.js'
import type { Fixtures, JsonRow, Row } from './fixtures.js'
import { mistake } from './names.js'
import { listOf, type Reader, readValue } from './reader.js'
import { tableCases } from './table-cases.js'

/** The questions of one test. */
export function casesOf(reader: Reader, known: Known, test: WrittenTest, path: Path): readonly TestCase[] {
  return test.table === undefined
    ? plainCases(reader, known, test, path)
    : tableCases(reader, known, test, path)
}

function plainCases(reader: Reader, known: Known, test: WrittenTest, path: Path): readonly TestCase[] {
  const missing = test.who === undefined ? 'who' : test.what === undefined ? 'what' : null
  if (missing !== null) {
    shape(
      reader,
      path,
      `\`${missing}\` is missing`,
      'a test says who may, or may_not, do what; or it has a table'
    )
    return []
  }
  if (test.of !== undefined) shape(reader, [...path, 'of'], '`of` goes with a table', 'the row says its type')
  const actions = actionsOf(reader, test, path)
  const people = listOf(test.who, [...path, 'who']).flatMap(
    ({ value, path: at }) => found(reader, known.principals, value, at, 'principal') ?? []
  )
  const rows = listOf(test.what, [...path, 'what']).flatMap(
    ({ value, path: at }) => found(reader, known.rows, value, at, 'row') ?? []
  )
  const span = reader.source.spanOf(path)
  return people.flatMap(who =>
    rows.flatMap(what =>
      actions.map(({ action, expected }) => {
        const changes = changesOf(reader, known.fixtures, what, test.changes, [...path, 'changes'])
        return caseOf({ test, span, who, what, action, expected, changes })
      })
    )
  )
}

/** The changes of an update with the related rows that go with a new key. */
function changesOf(
  reader: Reader,
  fixtures: Fixtures,
  { resource, columns, name: row }: Row,
  written: WrittenTest['changes'],
  path: Path
): JsonRow | null {
  if (written === undefined) return null
  const changes: Record<string, JsonValue> = {}
  for (const [name, input] of Object.entries(written)) {
    const column = resource.columns.find(one => one.name === name)
    if (column !== undefined) changes[name] = readValue(reader, column.type, input, [...path, name]) ?? null
    else {
      const known = resource.columns.map(one => one.name)
      mistake(
        reader,
        'TWR_TEST_NAME',
        [...path, name],
        `${resource.name} has no column \`${name}\``,
        suggest(name, known, 'declared')
      )
    }
  }
  return withRelated(fixtures, resource, { ...columns, ...changes }, changes, row)
}

function withRelated(
  fixtures: Fixtures,
  resource: Resource,
  next: JsonRow,
  changes: JsonRow,
  row: string
): JsonRow {
  const related = fixtures.related(resource, next, row)
  const moved = resource.relations.filter(({ local }) => Object.hasOwn(changes, local))
  return { ...changes, ...Object.fromEntries(moved.map(({ name }) => [name, related[name] ?? []])) }
}
