import type { Explanation, Said, Traced } from '../engine/explain/explanation.js'
import { placeOf, termsOf } from '../engine/explain/trace.js'
import type { Condition, Relation, Term } from '../ir/formula.js'
import type { Bundle, Resource } from '../ir/model.js'
import { printAtom, printCondition } from '../ir/print.js'

/** A truth that a test can have. */
export type Seen = Exclude<Said, 'hidden'>

/** One comparison of the policy, and how the tests have seen it. */
export interface CoveredTest {
  readonly text: string
  readonly at: string | null
  readonly seen: readonly Seen[]
  /** How it could be and was never seen. */
  readonly missing: readonly Seen[]
}

/** One condition of a rule as it is written; a rule of a trait is one, however many resources use it. */
export interface CoveredRule {
  readonly rule: string
  /** Which of its conditions: both are one where `check` is not written. */
  readonly part: 'when' | 'check' | 'column rule'
  readonly at: string | null
  readonly resources: readonly string[]
  readonly seen: readonly Seen[]
  readonly missing: readonly ('true' | 'not true')[]
  readonly tests: readonly CoveredTest[]
}

/** What of the policy the tests have tried. */
export interface Coverage {
  readonly rules: readonly CoveredRule[]
  /** Resource types that no test asks about. */
  readonly untested: readonly string[]
}

interface OpenTest {
  readonly text: string
  readonly at: string | null
  readonly seen: Set<Seen>
  nullable: boolean
}

interface OpenRule extends Pick<CoveredRule, 'rule' | 'part' | 'at'> {
  readonly resources: Set<string>
  readonly seen: Set<Seen>
  readonly tests: Map<string, OpenTest>
  /** Whether the condition is written as a constant, so that it can have one truth alone. */
  readonly constant: boolean
}

/** Notes which rules and comparisons the questions of tests have seen true, false and unknown. */
export class CoverageMeter {
  readonly #rules = new Map<string, OpenRule>()
  readonly #untested: Set<string>

  constructor(bundle: Bundle) {
    this.#untested = new Set(bundle.resources.map(({ name }) => name))
    for (const resource of bundle.resources) {
      for (const { id, when, check, span, actions } of resource.rules) {
        const at = placeOf(span)
        const asksNew = actions.some(action => action === 'create' || action === 'update')
        this.#declare(resource, { rule: id, part: 'when', at }, when)
        if (asksNew && check !== when) this.#declare(resource, { rule: id, part: 'check', at }, check)
      }
      for (const { columns, when, span } of resource.columnRules) {
        this.#declare(resource, { rule: columns.join(', '), part: 'column rule', at: placeOf(span) }, when)
      }
    }
  }

  #declare(resource: Resource, about: Pick<CoveredRule, 'rule' | 'part' | 'at'>, condition: Condition): void {
    const key = keyOf(about.at, about.part, resource.name, about.rule)
    const rule = this.#rules.get(key) ?? {
      ...about,
      resources: new Set<string>(),
      seen: new Set<Seen>(),
      tests: new Map<string, OpenTest>(),
      constant: condition.kind === 'const'
    }
    rule.resources.add(resource.name)
    for (const test of testsOf(resource, condition)) {
      const known = rule.tests.get(`${test.at} ${test.text}`)
      if (known === undefined) rule.tests.set(`${test.at} ${test.text}`, test)
      else known.nullable ||= test.nullable
    }
    this.#rules.set(key, rule)
  }

  /** Notes what a decision has looked at. */
  add({ resource: { type }, demands, columns }: Explanation): void {
    this.#untested.delete(type)
    for (const { part, rules } of demands) {
      for (const { rule, at, condition } of rules) this.#see(condition, [part, 'when'], type, at, rule)
    }
    for (const { kind, at, condition, columns: names } of columns) {
      if (kind === 'rule' && condition !== null)
        this.#see(condition, ['column rule'], type, at, names.join(', '))
    }
  }

  #see(
    condition: Traced,
    parts: readonly CoveredRule['part'][],
    type: string,
    at: string | null,
    name: string
  ): void {
    const rule = parts
      .map(part => this.#rules.get(keyOf(at, part, type, name)))
      .find(one => one !== undefined)
    if (rule === undefined) return
    note(rule.seen, condition.truth)
    for (const { at: place, text, truth } of tracedTests(condition)) {
      const test = rule.tests.get(`${place} ${text}`)
      if (test !== undefined) note(test.seen, truth)
    }
  }

  /** What was seen so far. */
  coverage(): Coverage {
    const rules = [...this.#rules.values()].map(({ seen, tests, resources, constant, ...about }) => ({
      ...about,
      resources: [...resources],
      seen: [...seen],
      missing: constant ? [] : missingOf(seen),
      tests: [...tests.values()].map(closed)
    }))
    return { rules, untested: [...this.#untested] }
  }
}

function keyOf(at: string | null, part: string, resource: string, rule: string): string {
  return at === null ? `${resource} ${rule} ${part}` : `${at} ${part}`
}

function note(seen: Set<Seen>, truth: Said): void {
  if (truth !== 'hidden') seen.add(truth)
}

function missingOf(seen: ReadonlySet<Seen>): CoveredRule['missing'] {
  const wasNot = seen.has('false') || seen.has('unknown')
  return [...(seen.has('true') ? [] : ['true' as const]), ...(wasNot ? [] : ['not true' as const])]
}

function closed({ text, at, seen, nullable }: OpenTest): CoveredTest {
  const possible: readonly Seen[] = nullable ? ['true', 'false', 'unknown'] : ['true', 'false']
  return { text, at, seen: [...seen], missing: possible.filter(one => !seen.has(one)) }
}

/** The comparisons of a condition, those inside of an exists included, and the exists itself. */
function testsOf(resource: Resource, condition: Condition, relation?: Relation): readonly OpenTest[] {
  switch (condition.kind) {
    case 'const':
      return []
    case 'and':
    case 'or':
      return condition.of.flatMap(part => testsOf(resource, part, relation))
    case 'not':
      return testsOf(resource, condition.of, relation)
    case 'exists': {
      const inner = testsOf(resource, condition.of, condition.relation)
      const itself = openTest(
        printCondition(condition),
        condition.span,
        inner.some(one => one.nullable)
      )
      return [itself, ...inner]
    }
    case 'atom': {
      const { atom, span } = condition
      const nullable = atom.kind !== 'null' && termsOf(atom).some(term => mayBeNull(resource, term, relation))
      return [openTest(printAtom(atom), span, nullable)]
    }
  }
}

function openTest(text: string, span: Parameters<typeof placeOf>[0], nullable: boolean): OpenTest {
  return { text, at: placeOf(span), seen: new Set(), nullable }
}

/** Every attribute of a principal is known, as the tenancy tables have it; a set may hold a null. */
function mayBeNull(resource: Resource, term: Term, relation: Relation | undefined): boolean {
  if (term.kind !== 'column' && term.kind !== 'related') return false
  const columns = term.kind === 'related' ? (relation?.columns ?? []) : resource.columns
  const column = columns.find(({ name }) => name === term.name)
  return column === undefined || column.nullable || column.type.kind === 'set'
}

function tracedTests(condition: Traced): readonly { at: string | null; text: string; truth: Said }[] {
  switch (condition.kind) {
    case 'const':
      return []
    case 'test':
      return [condition]
    case 'related':
      return [condition, ...condition.rows.flatMap(({ counts, of }) => (counts ? tracedTests(of) : []))]
    case 'all':
    case 'any':
    case 'not':
      return condition.of.flatMap(tracedTests)
  }
}

/** How much was seen of what can be seen. */
export function score({ rules }: Coverage): {
  readonly rules: number
  readonly seen: number
  readonly all: number
} {
  const tests = rules.flatMap(one => one.tests)
  const seen = tests.reduce((sum, one) => sum + one.seen.length, 0)
  const missing = tests.reduce((sum, one) => sum + one.missing.length, 0)
  return { rules: rules.filter(one => one.missing.length === 0).length, seen, all: seen + missing }
}
