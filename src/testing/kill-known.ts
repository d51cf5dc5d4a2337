import type { Engine } from '../engine/engine.js'
import { ACTIONS } from '../ir/model.js'
import type { TestCase } from './case.js'
import { decideCase } from './engine-lock.js'
import type { TestFile } from './file.js'
import type { Fixtures, JsonRow, Row } from './fixtures.js'

/** A question that two policies answer differently, and the answer of the first. */
export interface Telling {
  readonly test: TestCase
  readonly fixtures: Fixtures
  readonly decision: boolean
}

/** More questions than this are not tried with the rows of a file. */
const MAX_TRIES = 20_000

/** A question about the author's own principals and rows that tells a mutant from the policy. */
export function tellingKnown(engine: Engine, mutant: Engine, files: readonly TestFile[]): Telling | null {
  let tries = 0
  for (const file of files) {
    for (const test of questionsOf(engine, file)) {
      if (tries++ >= MAX_TRIES) return null
      const [right, wrong] = [engine, mutant].map(one => decideCase(one, test, file.fixtures).decision)
      if (right !== wrong) return { test, fixtures: file.fixtures, decision: right === true }
    }
  }
  return null
}

/** Every action of every principal on every row, with changes to what other rows have. */
function* questionsOf({ bundle }: Engine, { fixtures, cases }: TestFile): Generator<TestCase> {
  const [like] = cases
  if (like === undefined) return
  const actions = [...ACTIONS, ...bundle.actions.map(({ name }) => name)]
  const named = fixtures.rows.filter(({ name }) => !name.includes('.'))
  const people = fixtures.principals.filter(({ name }) => !name.includes('.'))
  for (const changing of [false, true]) {
    for (const who of people) {
      for (const what of named) {
        if (!changing) for (const action of actions) yield { ...like, who, what, action, changes: null }
        else
          for (const changes of changesOf(what, named))
            yield { ...like, who, what, action: 'update', changes }
      }
    }
  }
}

/** One column after the other as another row has it. Columns that lead to related rows stay: those would be missing. */
function changesOf(row: Row, rows: readonly Row[]): readonly JsonRow[] {
  const { columns, relations } = row.resource
  const free = columns.filter(({ name }) => !relations.some(({ local }) => local === name))
  const others = rows.filter(other => other.resource === row.resource && other !== row)
  return free.flatMap(({ name }) => {
    const values = new Set(others.map(other => JSON.stringify(other.columns[name] ?? null)))
    values.delete(JSON.stringify(row.columns[name] ?? null))
    return [...values].map((value): JsonRow => ({ [name]: JSON.parse(value) as JsonRow[string] }))
  })
}
