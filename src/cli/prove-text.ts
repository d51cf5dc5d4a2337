import type { Counterexample } from '../prove/counterexample.js'
import {
  type GateProof,
  invariantName,
  type ProofReport,
  type ResourceProof,
  type Verdict
} from '../prove/report.js'
import { invariantLines, invariantRefutation } from './invariant-text.js'
import type { Colors } from './io.js'
import { caseCount, count } from './problems.js'

/** What no proof about formulas can know, and what this one does not look at. */
const NOT_COVERED =
  'Tested, not proved: everything about a live database: grants and FORCE as they are there, how fresh the principal is,\npolicies and triggers from elsewhere, type parsers. See docs/proof.md.\n'

/** A proof as people read it: a line for each resource, and below it whatever speaks against it. */
export function proofText(report: ProofReport, colors: Colors): string {
  const width = Math.max(0, ...report.resources.map(({ resource }) => resource.length))
  const lines = report.resources.map(one => resourceText(one, width, colors))
  const against = report.resources.flatMap(one => refutations(one, colors))
  const invariants = invariantLines(report.invariants, verdict => painted(verdict, colors), colors)
  const broken = report.invariants.map(one => invariantRefutation(one, colors))
  return [...lines, ...invariants, ...against, ...broken, `\n${NOT_COVERED}`].join('')
}

/** A proof in one line. */
export function proofSummary({ verdict, resources, invariants, milliseconds }: ProofReport): string {
  const models = resources.reduce((sum, one) => sum + one.models, 0)
  const compared = `${models.toLocaleString('en')} cases in ${count(resources.length, 'resource')}, ${milliseconds} ms`
  const kept = invariants.length === 0 ? '' : `, ${count(invariants.length, 'invariant')}`
  return verdict === 'proved'
    ? `proved: both locks decide alike, ${compared}${kept}`
    : `${verdict}: ${open({ resources, invariants })} (${compared}${kept})`
}

function open({ resources, invariants }: Pick<ProofReport, 'resources' | 'invariants'>): string {
  const names = [
    ...resources.map(({ resource, verdict }) => ({ name: resource, verdict })),
    ...invariants.map(one => ({ name: `${one.at ?? ''} ${invariantName(one)}`.trim(), verdict: one.verdict }))
  ]
  return names
    .filter(({ verdict }) => verdict !== 'proved')
    .map(({ name }) => name)
    .join(', ')
}

function resourceText(proof: ResourceProof, width: number, colors: Colors): string {
  const { resource, gates, models, milliseconds, verdict, table } = proof
  const sides = table === null ? 'no table, so no SQL' : table
  const proved = gates.filter(gate => gate.verdict === 'proved').length
  const numbers = `${proved} of ${gates.length} questions, ${models.toLocaleString('en')} cases, ${milliseconds} ms`
  return `${resource.padEnd(width)}  ${painted(verdict, colors)}  ${colors.dim(`${numbers} (${sides})`)}\n`
}

function painted(verdict: Verdict, { green, red, yellow }: Colors): string {
  if (verdict === 'proved') return green(verdict)
  return verdict === 'refuted' ? red(verdict) : yellow(verdict)
}

function refutations({ resource, gates, findings }: ResourceProof, colors: Colors): readonly string[] {
  return [
    ...findings.map(finding => `\n${colors.bold(resource)}: ${finding}\n`),
    ...gates
      .filter(({ verdict }) => verdict !== 'proved')
      .map(gate => `\n${colors.bold(`${resource} ${gate.gate}`)}: ${gateText(gate)}`)
  ]
}

function gateText({ verdict, models, counterexample }: GateProof): string {
  if (counterexample !== null) return `${verdict}\n${counterexampleText(counterexample)}`
  const cases = caseCount(models)
  return `${verdict} (${cases} cases; --max-models raises the limit)\n`
}

/** A case in which sides differ, on indented lines. */
export function counterexampleText({ says, principal, row, changed, now }: Counterexample): string {
  const sides = (opens: boolean) =>
    Object.entries(says)
      .filter(([, said]) => said === opens)
      .map(([name]) => name)
      .join(', ')
  return [
    `  allow: ${sides(true)}`,
    `  deny:  ${sides(false)}`,
    `  principal: ${JSON.stringify(principal)}`,
    `  row:       ${JSON.stringify(row)}`,
    ...(changed === undefined ? [] : [`  changed:   ${changed.join(', ')}`]),
    ...(now === null ? [] : [`  now:       ${JSON.stringify(now)}`])
  ]
    .map(line => `${line}\n`)
    .join('')
}
