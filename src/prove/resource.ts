import { caslRules } from '../backends/casl.js'
import { accessorOf, CLAIMS, entranceOf, VERIFIED_USER } from '../backends/sql/names.js'
import { roleViews, tableObjects } from '../backends/sql/policies.js'
import { buildAbility } from '../engine/ability.js'
import { type Gate, gatesOf } from '../ir/gates.js'
import type { Bundle, Resource } from '../ir/model.js'
import type { Alike } from './alike.js'
import { compareSides, sizeOf } from './gate.js'
import { mateOf, type Plan, planOf, principalComparisons, type Subject, sidesOf } from './plan.js'
import { type Parser, readTable, type TableSecurity } from './read-back.js'
import { type Names, namesInRole, namesOf, type PrincipalFunctions } from './read-operand.js'
import { type GateProof, isDecided, type ResourceProof, type Verdict, worst } from './report.js'
import { type PortableAbilities, type PortableRules, portableAbilities } from './sides.js'
import { misshapen } from './table-security.js'
import { ReadBackError } from './tree.js'

/** How a policy is proved. */
export interface ProveOptions {
  /** The most cases that are compared for one resource, or tried for one invariant; 2,000,000 unless given. */
  readonly maxModels?: number
  /** Told now and then, during large proofs, how much of a resource or an invariant is done. */
  readonly onProgress?: (about: string, done: number, all: number) => void
  /** What is proved in place of what this version's backends emit, to test the proof or to read another text. */
  readonly emitted?: {
    readonly sql?: (resource: Resource, bundle: Bundle) => string
    readonly casl?: PortableRules
  }
}

/** The most cases of one resource, unless a caller says otherwise: some minutes. */
export const MAX_MODELS = 2_000_000

/** Proves one resource. One like it that was proved before is in `alike`. */
export function proveResource(
  bundle: Bundle,
  resource: Resource,
  { parse, alike }: { readonly parse: Parser; readonly alike: Alike },
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
    milliseconds: Math.round(performance.now() - start)
  })
  let security: TableSecurity | null = null
  try {
    security = readBack(bundle, resource, parse, options)
  } catch (error) {
    if (!(error instanceof ReadBackError)) throw error
    findings.add(`${error.code} ${error.message}`)
    return done('not proved: unreadable SQL', [])
  }
  if (security !== null) for (const finding of misshapen(security, roles, resource)) findings.add(finding)
  const casl = options.emitted?.casl ?? (caslRules as unknown as PortableRules)
  const subject = { bundle, resource, security, roles }
  const known = findings.size > 0 ? null : alike.find(bundle, subject, casl)
  const gates =
    known ?? proveGates(subject, portableAbilities(bundle, resource, casl), { findings, alike, options })
  const verdicts = gates.map(({ verdict }) => verdict)
  return done(worst(findings.size > 0 ? [...verdicts, 'refuted'] : verdicts), gates)
}

function readBack(
  bundle: Bundle,
  resource: Resource,
  parse: Parser,
  { emitted }: ProveOptions
): TableSecurity | null {
  if (resource.table === null) return null
  const text = (emitted?.sql ?? tableSql)(resource, bundle)
  return readTable(parse(text), resource.table, namesIn(resource, bundle))
}

/** The functions through which the generated SQL sees the principal. */
export const PRINCIPAL_FUNCTIONS: PrincipalFunctions = {
  accessorOf,
  entranceOf,
  claims: CLAIMS,
  verified: VERIFIED_USER
}

/** What the names in a resource's policies stand for, by the roles that a policy is for. */
export function namesIn(resource: Resource, bundle: Bundle): (roles: readonly string[]) => Names {
  const names = namesOf(resource, bundle, PRINCIPAL_FUNCTIONS)
  return roles => {
    const flag = roleViews(bundle).find(({ role }) => roles.includes(role))?.flag ?? null
    return flag === null ? names : namesInRole(names, flag, PRINCIPAL_FUNCTIONS)
  }
}

/** The SQL text of a resource's table, as `twinrule compile --target sql` emits it. */
export function tableSql(resource: Resource, bundle: Bundle): string {
  return tableObjects(resource, bundle)
    .map(({ up }) => String(up))
    .join('\n')
}

interface Proving {
  readonly findings: Set<string>
  readonly alike: Alike
  readonly options: ProveOptions
}

/** Proves the small gates first, until the next one would bring the resource over the limit. */
function proveGates(
  subject: Subject,
  { abilityFor, asked }: PortableAbilities,
  { findings, alike, options }: Proving
): readonly GateProof[] {
  const { maxModels = MAX_MODELS, onProgress } = options
  const gates = gatesOf(subject.bundle)
  const report = (finding: string) => void findings.add(finding)
  const principals = principalComparisons(subject.bundle, subject.resource)
  const plans = gates.map(gate => planOf(subject, gate, { abilityFor, principals, report }))
  const ability = buildAbility({ ...subject.bundle, resources: [subject.resource] })
  const sizes = new Map(plans.map(plan => [plan, sizeOf(plan, maxModels)]))
  const sizeOfPlan = (plan: Plan | undefined) => (plan && sizes.get(plan)) ?? 0
  const all = plans.reduce((sum, plan) => sum + sizeOfPlan(plan), 0)
  const proofs = new Map<Gate, GateProof>()
  let spent = 0
  for (const plan of [...plans].sort((a, b) => sizeOfPlan(a) - sizeOfPlan(b))) {
    const { gate } = plan.question
    const models = sizeOfPlan(plan)
    const mate = mateOf(plan, plans)
    if (spent + models + sizeOfPlan(mate) > maxModels) {
      proofs.set(gate, { gate, verdict: 'not proved: too large', models, counterexample: null })
      continue
    }
    const outcome = compareSides(plan, sidesOf(plan, mate, { abilityFor, ability }), done =>
      onProgress?.(subject.resource.name, spent + done, all)
    )
    proofs.set(gate, { gate, verdict: outcome.counterexample === null ? 'proved' : 'refuted', ...outcome })
    spent += models
  }
  const proved = gates.flatMap(gate => proofs.get(gate) ?? [])
  if (findings.size === 0) alike.keep(subject, proved, asked())
  return proved
}
