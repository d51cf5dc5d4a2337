import { caslRules } from '../backends/casl.js'
import { LISTER } from '../backends/sql/lister.js'
import { roleViews } from '../backends/sql/policies.js'
import { buildAbility } from '../engine/ability.js'
import { gatesOf } from '../ir/gates.js'
import type { Bundle, Resource } from '../ir/model.js'
import type { Alike } from './alike.js'
import { columnsPlan, withChanges } from './columns.js'
import type { Counterexample } from './counterexample.js'
import { type Emitted, readBack, readColumnGuard, readLists } from './emitted.js'
import { compareSides, type Models, sizeOf } from './gate.js'
import { misshapenGuard, permits } from './guard-permits.js'
import { mateOf, planOf, principalComparisons, type Subject, sidesOf } from './plan.js'
import type { BodyParser } from './plpgsql.js'
import type { Parser, TableSecurity } from './read-back.js'
import type { ColumnGuard } from './read-guard.js'
import {
  type GateProof,
  isDecided,
  type Question,
  type ResourceProof,
  type Verdict,
  worst
} from './report.js'
import {
  type PortableAbilities,
  type PortableRules,
  portableAbilities,
  type RoleExpression,
  type Side
} from './sides.js'
import { gateOf, misshapen } from './table-security.js'
import { ReadBackError } from './tree.js'
import { type Seen, seenBy } from './visible.js'

/** How a policy is proved. */
export interface ProveOptions {
  /** The most cases that are compared for one resource, or tried for one invariant; 2,000,000 unless given. */
  readonly maxModels?: number
  /** Told now and then, during large proofs, how much of a resource or an invariant is done. */
  readonly onProgress?: (about: string, done: number, all: number) => void
  /** What is proved in place of what this version's backends emit, to test the proof or to read another text. */
  readonly emitted?: Emitted
}

/** The most cases of one resource, unless a caller says otherwise: some minutes. */
export const MAX_MODELS = 2_000_000

/** What a proof of one resource needs. */
export interface Tools {
  readonly parse: Parser
  /** Null where policies alone are in question: then nothing is asked about columns. */
  readonly parseBody: BodyParser | null
  /** The security of another resource's table; null where that is taken as given. */
  readonly securityOf: (resource: Resource) => TableSecurity | null
  /** What was proved before. */
  readonly alike: Alike
}

/** Proves one resource. One like it that was proved before is in `alike`. */
export function proveResource(
  bundle: Bundle,
  resource: Resource,
  tools: Tools,
  options: ProveOptions
): ResourceProof {
  const start = performance.now()
  const { parse, parseBody, securityOf, alike } = tools
  const findings = new Set<string>()
  const roles = roleViews(bundle)
  const done = (verdict: Verdict, gates: readonly GateProof[]): ResourceProof => ({
    resource: resource.name,
    table: resource.table,
    verdict,
    models: gates.reduce((sum, { verdict, models }) => sum + (isDecided(verdict) ? models : 0), 0),
    gates,
    findings: [...findings],
    milliseconds: Math.round(performance.now() - start)
  })
  let security: TableSecurity | null = null
  let guard: ColumnGuard | null = null
  let seen: Seen = () => null
  let lists: Subject['lists'] = []
  try {
    security = readBack(bundle, resource, parse, options.emitted)
    seen = seenBy(bundle, resource, securityOf)
    // safety: whoever may enter the role for lists sees what its policy says, whatever the statement
    if (security !== null) lists = [listerOf(security, seen)]
    if (parseBody !== null) {
      guard = readColumnGuard(bundle, resource, { parse, parseBody }, options.emitted)
      const pages = readLists(bundle, resource, parse, options.emitted)
      lists = [
        ...lists,
        ...pages.map(one => ({ ...one, of: 'list' as const, asSeen: seen(one.expression, one.runsAs) }))
      ]
    }
  } catch (error) {
    if (!(error instanceof ReadBackError)) throw error
    findings.add(`${error.code} ${error.message}`)
    return done('not proved: unreadable SQL', [])
  }
  if (security !== null)
    for (const finding of misshapen(security, [...roles, LISTER], resource)) findings.add(finding)
  if (guard !== null) for (const finding of misshapenGuard(guard)) findings.add(finding)
  const casl = options.emitted?.casl ?? (caslRules as unknown as PortableRules)
  const permitted = guard === null ? null : permits(guard)
  const subject = { bundle, resource, security, permitted, lists, seen, roles }
  const known = findings.size > 0 ? null : alike.find(bundle, subject, casl)
  const gates =
    known ?? proveGates(subject, portableAbilities(bundle, resource, casl), { findings, alike, options })
  const verdicts = gates.map(({ verdict }) => verdict)
  return done(worst(findings.size > 0 ? [...verdicts, 'refuted'] : verdicts), gates)
}

/** What the policy of the role for lists shows, which is another one than that of applications. */
function listerOf(security: TableSecurity, seen: Seen): RoleExpression {
  const expression = gateOf(security, 'read', LISTER.role)
  return { role: LISTER, of: 'list', expression, asSeen: seen(expression, LISTER.role) }
}

interface Proving {
  readonly findings: Set<string>
  readonly alike: Alike
  readonly options: ProveOptions
}

/** One question and how to answer it. */
interface Job {
  readonly gate: Question
  readonly models: Models
  /** The models that must be tried beside its own. */
  readonly more: number
  readonly sides: () => readonly Side[]
  readonly shown: (counterexample: Counterexample) => Counterexample
}

/** Proves the small questions first, until the next one would bring the resource over the limit. */
function proveGates(
  subject: Subject,
  abilities: PortableAbilities,
  { findings, alike, options }: Proving
): readonly GateProof[] {
  const { maxModels = MAX_MODELS, onProgress } = options
  const jobs = jobsOf(subject, abilities, maxModels, finding => void findings.add(finding))
  const sized = jobs.map(job => ({ ...job, size: sizeOf(job.models, maxModels) }))
  const all = sized.reduce((sum, { size }) => sum + size, 0)
  const proofs = new Map<Question, GateProof>()
  let spent = 0
  for (const { gate, models, more, sides, shown, size } of [...sized].sort((a, b) => a.size - b.size)) {
    if (spent + size + more > maxModels) {
      proofs.set(gate, { gate, verdict: 'not proved: too large', models: size, counterexample: null })
      continue
    }
    const outcome = compareSides(models, sides(), done =>
      onProgress?.(subject.resource.name, spent + done, all)
    )
    const counterexample = outcome.counterexample === null ? null : shown(outcome.counterexample)
    const verdict = counterexample === null ? 'proved' : 'refuted'
    proofs.set(gate, { gate, verdict, models: outcome.models, counterexample })
    spent += size
  }
  const proved = jobs.flatMap(({ gate }) => proofs.get(gate) ?? [])
  if (findings.size === 0) alike.keep(subject, proved, abilities.asked())
  return proved
}

/** Every question about a resource: its gates, then its columns. */
function jobsOf(
  subject: Subject,
  { abilityFor }: PortableAbilities,
  maxModels: number,
  report: (finding: string) => void
): readonly Job[] {
  const { bundle, resource } = subject
  const principals = principalComparisons(bundle, resource)
  const plans = gatesOf(bundle).map(gate => planOf(subject, gate, { abilityFor, principals, report }))
  const ability = buildAbility({ ...bundle, resources: [resource] })
  const gates = plans.map((plan): Job => {
    const mate = mateOf(plan, plans)
    return {
      gate: plan.question.gate,
      models: plan,
      more: mate === undefined ? 0 : sizeOf(mate, maxModels),
      sides: () => sidesOf(plan, mate, { abilityFor, ability }),
      shown: one => one
    }
  })
  const isAsked = resource.table === null || subject.permitted !== null
  const columns = isAsked ? columnsPlan(subject, report) : null
  if (columns === null) return gates
  const { models, sides } = columns
  return [...gates, { gate: 'columns', models, more: 0, sides: () => sides, shown: withChanges }]
}
