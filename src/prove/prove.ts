import { comparisonsOf, domainsOf } from '../analysis/domain.js'
import { type Space, spaceOf } from '../analysis/models.js'
import { caslRules } from '../backends/casl.js'
import { accessorOf } from '../backends/sql/names.js'
import { roleViews, tableObjects } from '../backends/sql/policies.js'
import { GATES, type Gate, gateConditions } from '../ir/gates.js'
import type { Bundle, Resource } from '../ir/model.js'
import type { Counterexample } from './counterexample.js'
import { compareSides } from './gate.js'
import { loadParser, type Parser, readTable, type TableSecurity } from './read-back.js'
import { namesOf } from './read-operand.js'
import { compiled, type GateQuestion, type PortableRules, postgres, type Side, stockCasl } from './sides.js'
import { comparedTerms, type SqlExpression } from './sql-expression.js'
import { type DatabaseRole, gateOf, misshapen } from './table-security.js'
import { ReadBackError } from './tree.js'

/** What can be said of a gate, of a resource and of a policy. Only the first is a proof. */
export type Verdict = 'proved' | 'refuted' | 'not proved: too large' | 'not proved: unreadable SQL'

/** One gate of a resource. */
export interface GateProof {
  readonly gate: Gate
  readonly verdict: Verdict
  /** How many cases there are; above 2^53 it is rounded. All of them were compared unless it is too large. */
  readonly models: number
  /** The smallest case in which the locks differ. */
  readonly counterexample: Counterexample | null
}

/** One resource: what its locks decide, and whether its table has the security that the comparison assumes. */
export interface ResourceProof {
  readonly resource: string
  readonly table: string | null
  readonly verdict: Verdict
  /** How many cases were compared. */
  readonly models: number
  readonly gates: readonly GateProof[]
  /** What is wrong beside the decisions, each a sentence. */
  readonly findings: readonly string[]
  readonly milliseconds: number
}

/** The proof of a policy. */
export interface ProofReport {
  readonly revision: string
  readonly verdict: Verdict
  readonly resources: readonly ResourceProof[]
  readonly milliseconds: number
}

/** How a policy is proved. */
export interface ProveOptions {
  /** The most cases that are compared for one resource; 2,000,000 unless given. */
  readonly maxModels?: number
  /** Told now and then, during large proofs, how many of a resource's cases are done. */
  readonly onProgress?: (resource: string, done: number, all: number) => void
  /** What is proved in place of what this version's backends emit, to test the proof or to read another text. */
  readonly emitted?: {
    readonly sql?: (resource: Resource, bundle: Bundle) => string
    readonly casl?: PortableRules
  }
}

/** The most cases of one resource, unless a caller says otherwise: some minutes. */
export const MAX_MODELS = 2_000_000

/**
 * Proves that the application and the emitted SQL decide alike, for every principal and row, without a database: the
 * reference interpreter, stock CASL with the portable rules, the compiled rules and the SQL text read back are asked
 * about every case there is. docs/proof.md says why these are all cases, and what a proof does not cover.
 */
export async function prove(bundle: Bundle, options: ProveOptions = {}): Promise<ProofReport> {
  const start = performance.now()
  const parse = await loadParser()
  const resources = bundle.resources.map(resource => proveResource(bundle, resource, parse, options))
  return {
    revision: bundle.revision,
    verdict: worst(resources.map(({ verdict }) => verdict)),
    resources,
    milliseconds: since(start)
  }
}

function proveResource(
  bundle: Bundle,
  resource: Resource,
  parse: Parser,
  options: ProveOptions
): ResourceProof {
  const start = performance.now()
  const findings = new Set<string>()
  const roles = roleViews(bundle)
  const done = (verdict: Verdict, gates: readonly GateProof[]): ResourceProof => ({
    resource: resource.name,
    table: resource.table,
    verdict,
    models: gates.reduce((sum, { verdict, models }) => sum + (isDecided(verdict) ? models : 0), 0),
    gates,
    findings: [...findings],
    milliseconds: since(start)
  })
  let security: TableSecurity | null = null
  try {
    security = readBack(bundle, resource, parse, options)
  } catch (error) {
    if (!(error instanceof ReadBackError)) throw error
    findings.add(`${error.code} ${error.message}`)
    return done('not proved: unreadable SQL', [])
  }
  if (security !== null) for (const finding of misshapen(security, roles)) findings.add(finding)
  const gates = proveGates({ bundle, resource, security, roles }, findings, options)
  const verdicts = gates.map(({ verdict }) => verdict)
  return done(worst(findings.size > 0 ? [...verdicts, 'refuted'] : verdicts), gates)
}

interface Subject {
  readonly bundle: Bundle
  readonly resource: Resource
  readonly security: TableSecurity | null
  readonly roles: readonly DatabaseRole[]
}

function readBack(
  bundle: Bundle,
  resource: Resource,
  parse: Parser,
  { emitted }: ProveOptions
): TableSecurity | null {
  if (resource.table === null) return null
  const text = (emitted?.sql ?? tableSql)(resource, bundle)
  return readTable(parse(text), resource.table, namesOf(resource, bundle, accessorOf))
}

/** The SQL text of a resource's table, as `twinrule compile --target sql` emits it. */
export function tableSql(resource: Resource, bundle: Bundle): string {
  return tableObjects(resource, bundle)
    .map(({ up }) => String(up))
    .join('\n')
}

/** Proves the small gates first, until the next one would bring the resource over the limit. */
function proveGates(subject: Subject, findings: Set<string>, options: ProveOptions): readonly GateProof[] {
  const { maxModels = MAX_MODELS, onProgress } = options
  const plans = GATES.map(gate => planOf(subject, gate, findings))
  const all = Number(plans.reduce((sum, { space }) => sum + space.size, 0n))
  const proofs = new Map<Gate, GateProof>()
  let spent = 0
  for (const plan of [...plans].sort((a, b) => Number(a.space.size - b.space.size))) {
    const { space, question } = plan
    const models = Number(space.size)
    if (spent + models > maxModels) {
      proofs.set(question.gate, {
        gate: question.gate,
        verdict: 'not proved: too large',
        models,
        counterexample: null
      })
      continue
    }
    const outcome = compareSides(question, space, sidesOf(plan, subject, options), done =>
      onProgress?.(subject.resource.name, spent + done, all)
    )
    const verdict = outcome.counterexample === null ? 'proved' : 'refuted'
    proofs.set(question.gate, { gate: question.gate, verdict, ...outcome })
    spent += models
  }
  return GATES.flatMap(gate => proofs.get(gate) ?? [])
}

interface Plan {
  readonly question: GateQuestion
  readonly space: Space
  readonly sql: readonly { readonly role: DatabaseRole; readonly expression: SqlExpression }[]
}

/** What a gate's models vary: every term and literal of its rules and of its SQL. */
function planOf({ bundle, resource, security, roles }: Subject, gate: Gate, findings: Set<string>): Plan {
  const sql =
    security === null ? [] : roles.map(role => ({ role, expression: gateOf(security, gate, role.role) }))
  const domains = domainsOf(resource, [
    ...gateConditions(resource, gate).flatMap(comparisonsOf),
    ...sql.flatMap(({ expression }) => comparedTerms(expression))
  ])
  const report = (finding: string) => findings.add(finding)
  return { question: { bundle, resource, gate, domains, report }, space: spaceOf(domains), sql }
}

function sidesOf({ question, sql }: Plan, { roles }: Subject, { emitted }: ProveOptions): readonly Side[] {
  return [
    stockCasl(question, emitted?.casl ?? (caslRules as unknown as PortableRules)),
    compiled(question),
    ...sql.map(({ role, expression }) => postgres(question, expression, role, roles))
  ]
}

/** The order in which verdicts outweigh each other: a counterexample stands whatever else is unknown. */
const SEVERITY: readonly Verdict[] = [
  'refuted',
  'not proved: unreadable SQL',
  'not proved: too large',
  'proved'
]

function worst(verdicts: readonly Verdict[]): Verdict {
  return SEVERITY.find(one => verdicts.includes(one)) ?? 'proved'
}

function isDecided(verdict: Verdict): boolean {
  return verdict === 'proved' || verdict === 'refuted'
}

function since(start: number): number {
  return Math.round(performance.now() - start)
}
