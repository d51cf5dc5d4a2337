import type { Span } from '../errors/errors.js'
import { suggest } from '../errors/suggest.js'
import { questionsOf } from '../ir/gates.js'
import { ACTIONS } from '../ir/model.js'
import type { Path } from '../policy/source.js'
import type { Fixtures, JsonRow, Principal, Row } from './fixtures.js'
import { mistake } from './names.js'
import { listOf, type Reader } from './reader.js'

/** One question with the answer that it must have. */
export interface TestCase {
  /** A sentence: `gus may not read draft`. */
  readonly title: string
  /** What the test is about, as its author says. */
  readonly about: string | null
  readonly span: Span
  readonly who: Principal
  readonly action: string
  readonly what: Row
  /** The columns that an update changes, as a request carries them; null for none. */
  readonly changes: JsonRow | null
  readonly expected: boolean
  /** The rule that must allow it. */
  readonly by: string | null
  /** The reason for which it must be denied. */
  readonly because: string | null
}

/** A test as it is written. The schema has seen the types. */
export interface WrittenTest {
  readonly title?: string
  readonly who?: unknown
  readonly may?: unknown
  readonly may_not?: unknown
  readonly what?: unknown
  readonly changes?: Readonly<Record<string, unknown>>
  readonly by?: string
  readonly because?: string
  readonly of?: string
  readonly table?: Readonly<Record<string, unknown>>
}

/** The principals and rows that a file has, by name. */
export interface Known {
  readonly principals: ReadonlyMap<string, Principal>
  readonly rows: ReadonlyMap<string, Row>
  readonly fixtures: Fixtures
}

/** Reports that a test lacks something, or has something that does not go together. */
export function shape(reader: Reader, path: Path, message: string, hint: string): void {
  mistake(reader, 'TWR_TEST_SHAPE', path, message, hint)
}

interface Expected {
  readonly action: string
  readonly expected: boolean
}

/** The actions of a test, with what is expected of each. */
export function actionsOf(reader: Reader, test: WrittenTest, path: Path): readonly Expected[] {
  const of = (key: 'may' | 'may_not', expected: boolean) =>
    listOf(test[key], [...path, key]).flatMap(({ value, path: at }) =>
      isAction(reader, String(value), at) ? [{ action: String(value), expected }] : []
    )
  if (test.may === undefined && test.may_not === undefined) {
    shape(reader, path, '`may` or `may_not` is missing', 'they name the actions')
  }
  const both = test.may !== undefined && test.may_not !== undefined
  if (test.by !== undefined && (both || test.may === undefined)) {
    shape(reader, [...path, 'by'], '`by` goes with `may` alone', 'it names the rule that allows')
  }
  if (test.because !== undefined && (both || test.may_not === undefined)) {
    shape(
      reader,
      [...path, 'because'],
      '`because` goes with `may_not` alone',
      'it names the reason of a deny'
    )
  }
  return [...of('may', true), ...of('may_not', false)]
}

function isAction({ bundle, ...reader }: Reader, action: string, path: Path): boolean {
  if (questionsOf(bundle, action) !== null) return true
  const known = [...ACTIONS, ...bundle.actions.map(({ name }) => name)]
  mistake(reader, 'TWR_TEST_NAME', path, `unknown action \`${action}\``, suggest(action, known, 'actions'))
  return false
}

/** Rows and principals that stand where they are used have their place as a name. */
export function isInline(name: string): boolean {
  return name.startsWith('tests.')
}

/** What a name or a place stands for, or undefined once its mistake is reported. */
export function found<T>(
  reader: Reader,
  all: ReadonlyMap<string, T>,
  value: unknown,
  path: Path,
  kind: 'principal' | 'row'
): T | undefined {
  if (typeof value !== 'string') return all.get(path.join('.'))
  const one = all.get(value)
  if (one === undefined) reader.names.unknown(value, kind, path)
  return one
}

/** One question of a test, with its sentence. */
export function caseOf(
  made: Pick<TestCase, 'span' | 'who' | 'what' | 'action' | 'expected' | 'changes'> & {
    readonly test: WrittenTest
  }
): TestCase {
  const { test, who, what, action, expected, changes, span } = made
  const with_ = changes === null ? '' : ` with ${Object.keys(test.changes ?? {}).join(', ')}`
  const title = `${nameOf(who.name)} may ${expected ? '' : 'not '}${action} ${nameOf(what.name, what.resource.name)}${with_}`
  const { by = null, because = null, title: about = null } = test
  return { title, about, span, who, action, what, changes, expected, by, because }
}

/** A fixture by its name, or by what it is where it has none. */
export function nameOf(name: string, type = 'principal'): string {
  return isInline(name) ? `the ${type} of this test` : name
}
