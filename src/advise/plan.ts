/** A node of a plan as EXPLAIN (FORMAT JSON) gives it, as far as it is read here. */
export interface PlanNode {
  readonly 'Node Type': string
  readonly 'Parent Relationship'?: string
  readonly 'Relation Name'?: string
  readonly Schema?: string
  readonly 'Parallel Aware'?: boolean
  readonly 'Index Name'?: string
  readonly 'Index Cond'?: string
  readonly 'Recheck Cond'?: string
  readonly Filter?: string
  readonly 'Rows Removed by Filter'?: number
  readonly 'Actual Rows'?: number
  readonly 'Actual Loops'?: number
  readonly 'Actual Total Time'?: number
  readonly 'Sort Key'?: readonly string[]
  readonly Plans?: readonly PlanNode[]
}

/** One table of a plan: how it is read, and what is asked of its rows. */
export interface Scan {
  readonly table: string
  /** Such as `Seq Scan`. */
  readonly how: string
  readonly indexes: readonly string[]
  /** Rows that were looked at, and those that were left. null when the statement was not run. */
  readonly read: number | null
  readonly kept: number | null
  readonly milliseconds: number | null
  /** The tests that the policies have put there, and those of the statement. */
  readonly policyTests: readonly string[]
  readonly ownTests: readonly string[]
}

/**
 * The tables that a plan reads.
 *
 * @param own the tests of the statement itself, from its plan without policies
 */
export function scansOf(plan: PlanNode, own: ReadonlySet<string>): readonly Scan[] {
  const below = (plan.Plans ?? []).flatMap(one => scansOf(one, own))
  const table = plan['Relation Name']
  if (table === undefined) return below
  const tests = conjuncts(plan.Filter ?? '')
  const loops = plan['Actual Loops'] ?? 1
  const ran = plan['Actual Rows'] !== undefined
  const kept = ran ? Math.round((plan['Actual Rows'] ?? 0) * loops) : null
  return [
    {
      table: `${plan.Schema ?? 'public'}.${table}`,
      how: plan['Node Type'],
      indexes: plan['Index Name'] === undefined ? indexesBelow(plan) : [plan['Index Name']],
      read: kept === null ? null : kept + (plan['Rows Removed by Filter'] ?? 0) * loops,
      kept,
      milliseconds: ran
        ? (plan['Actual Total Time'] ?? 0) * (plan['Parallel Aware'] === true ? 1 : loops)
        : null,
      policyTests: tests.filter(test => !own.has(bare(test))),
      ownTests: tests.filter(test => own.has(bare(test)))
    },
    ...below
  ]
}

function indexesBelow(plan: PlanNode): readonly string[] {
  return (plan.Plans ?? []).flatMap(one => one['Index Name'] ?? indexesBelow(one))
}

/** Milliseconds for what is asked once: who the user is, whether he is a member. */
export function onceMilliseconds(plan: PlanNode): number {
  const own = plan['Parent Relationship'] === 'InitPlan' ? (plan['Actual Total Time'] ?? 0) : 0
  return own + (plan.Plans ?? []).reduce((sum, one) => sum + onceMilliseconds(one), 0)
}

/** What an index answers in a plan: `table: condition`, without the brackets around it. */
export function indexConditions(
  plan: PlanNode,
  table = plan['Relation Name'] ?? ''
): readonly IndexCondition[] {
  const own = plan['Index Cond']
  return [
    ...(own === undefined
      ? []
      : conjuncts(own).map(test => ({ table, index: plan['Index Name'] ?? '', test }))),
    ...(plan.Plans ?? []).flatMap(one => indexConditions(one, one['Relation Name'] ?? table))
  ]
}

/** A test that an index answers. */
export interface IndexCondition {
  readonly table: string
  readonly index: string
  readonly test: string
}

/** Columns by which a plan sorts, the first ones first. */
export function sortColumns(plan: PlanNode): readonly string[] {
  const own = (plan['Sort Key'] ?? []).flatMap(
    key => /^(?:\w+\.)?(\w+)( DESC)?/.exec(key)?.slice(1, 3).join('') ?? []
  )
  return [...own, ...(plan.Plans ?? []).flatMap(sortColumns)]
}

/** All tests of a plan, each without the names of tables. */
export function testsOf(plan: PlanNode): ReadonlySet<string> {
  const own = [plan.Filter, plan['Index Cond'], plan['Recheck Cond']].flatMap(text => conjuncts(text ?? ''))
  return new Set([...own.map(bare), ...(plan.Plans ?? []).flatMap(one => [...testsOf(one)])])
}

/** Without the names of tables, which a plan of one table leaves out. */
export function bare(test: string): string {
  return test.replace(/\b\w+\.(?=\w)/g, '')
}

/** The parts of `((a) AND (b))`. */
export function conjuncts(text: string): readonly string[] {
  const inner = unwrapped(text.trim())
  const parts: string[] = []
  let [depth, start, quoted] = [0, 0, false]
  for (let i = 0; i < inner.length; i++) {
    const char = inner[i]
    if (char === "'") quoted = !quoted
    else if (quoted) continue
    else if (char === '(' || char === '[') depth++
    else if (char === ')' || char === ']') depth--
    // CASE has parts of its own
    else if (depth === 0 && inner.startsWith('CASE ', i)) depth++
    else if (depth === 1 && inner.startsWith(' END', i)) depth--
    else if (depth === 0 && inner.startsWith(' AND ', i)) {
      parts.push(inner.slice(start, i))
      start = i + 5
    }
  }
  return [...parts, inner.slice(start)].map(part => unwrapped(part.trim())).filter(part => part !== '')
}

/** Without brackets that go around all of it. */
function unwrapped(text: string): string {
  if (!text.startsWith('(') || !text.endsWith(')')) return text
  let depth = 0
  for (let i = 0; i < text.length - 1; i++) {
    if (text[i] === '(') depth++
    if (text[i] === ')') depth--
    if (depth === 0) return text
  }
  return unwrapped(text.slice(1, -1))
}
