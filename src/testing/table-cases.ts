import type { Path } from '../policy/source.js'
import {
  actionsOf,
  caseOf,
  found,
  isInline,
  type Known,
  shape,
  type TestCase,
  type WrittenTest
} from './case.js'
import type { Row } from './fixtures.js'
import { mistake } from './names.js'
import { entriesOf, listOf, type Reader, readType } from './reader.js'

/** Every row of a type is asked about: those that are named may, all others may not. */
export function tableCases(reader: Reader, known: Known, test: WrittenTest, path: Path): readonly TestCase[] {
  const misplaced = (['who', 'what', 'may_not', 'changes', 'by', 'because'] as const).find(
    key => test[key] !== undefined
  )
  if (misplaced !== undefined) {
    shape(
      reader,
      [...path, misplaced],
      `\`${misplaced}\` does not go with a table`,
      'a table needs may and of'
    )
  }
  if (test.of === undefined) shape(reader, path, '`of` is missing', 'a table says of which resource type')
  const resource = test.of === undefined ? undefined : readType(reader, test.of, [...path, 'of'])
  const actions = actionsOf(reader, test, path)
  if (resource === undefined) return []
  const ofType = [...known.rows.values()].filter(row => row.resource === resource && !isInline(row.name))
  return entriesOf(test.table).flatMap(([name, value]) => {
    const at: Path = [...path, 'table', name]
    const who = known.principals.get(name)
    if (who === undefined) {
      reader.names.unknown(name, 'principal', at)
      return []
    }
    const span = reader.source.keySpanOf(at)
    const allowed = rowsOfCell(reader, known, ofType, value, at)
    return ofType.flatMap(what =>
      actions.map(({ action }) =>
        caseOf({ test, span, who, what, action, expected: allowed.has(what.name), changes: null })
      )
    )
  })
}

function rowsOfCell(
  reader: Reader,
  known: Known,
  ofType: readonly Row[],
  value: unknown,
  path: Path
): ReadonlySet<string> {
  if (value === 'all') return new Set(ofType.map(({ name }) => name))
  if (value === 'none') return new Set()
  const named = listOf(value, path).flatMap(({ value: name, path: at }) => {
    const row = found(reader, known.rows, name, at, 'row')
    if (row === undefined || ofType.includes(row)) return row?.name ?? []
    mistake(
      reader,
      'TWR_TEST_NAME',
      at,
      `\`${row.name}\` is a ${row.resource.name}`,
      'name rows of the type of the table'
    )
    return []
  })
  return new Set(named)
}
