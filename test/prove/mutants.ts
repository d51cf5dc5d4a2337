import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { caslRules } from '../../src/backends/casl.js'
import type { Bundle, Resource } from '../../src/ir/model.js'
import { guardSql, namesIn, tableSql } from '../../src/prove/emitted.js'
import type { EmittedRule } from '../../src/prove/portable.js'
import { prove } from '../../src/prove/prove.js'
import { loadParser, readTable, type TableSecurity } from '../../src/prove/read-back.js'
import type { ResourceProof } from '../../src/prove/report.js'
import type { PortableRules } from '../../src/prove/sides.js'
import { caslMutants } from './casl-mutants.js'
import { clauseDiffers, guardDiffers, reasonFor, rulesDiffer } from './equivalents.js'
import { guardMutants, guardOf } from './guard-mutants.js'
import { bundleOf, EVERY_ATOM, GUARDED, RELATED_ROWS } from './policies.js'
import { printGuard, printSecurity } from './print-security.js'
import { sqlMutants } from './sql-mutants.js'

/** What became of a mutant. */
export interface Judged {
  readonly backend: 'SQL' | 'CASL' | 'trigger'
  readonly resource: string
  readonly name: string
  /** How the proof noticed it, or why it need not: it means the same. */
  readonly verdict:
    | { readonly killed: true; readonly by: string }
    | { readonly killed: false; readonly why: string | null }
}

const PLATFORM = readFileSync(join(import.meta.dirname, '..', '..', 'policies', 'platform.yaml'), 'utf8')

/** The resources that are mutated: one of the example, three that together hold every kind of atom, and one with related rows. */
export function mutated(): readonly { readonly bundle: Bundle; readonly resource: Resource }[] {
  const alone = (bundle: Bundle, name: string) => {
    const resources = bundle.resources.filter(one => one.name === name)
    // an invariant would refute by the rules, and the mutants are of the locks
    return resources.map(resource => ({ bundle: { ...bundle, resources, invariants: [] }, resource }))
  }
  const every = bundleOf(EVERY_ATOM)
  return [
    ...alone(bundleOf(PLATFORM), 'agent'),
    ...every.resources.flatMap(({ name }) => alone(every, name)),
    ...alone(bundleOf(RELATED_ROWS), 'page')
  ]
}

/** The security of a table as its own SQL says it. */
export async function securityOf(resource: Resource, bundle: Bundle): Promise<TableSecurity> {
  const parse = await loadParser()
  const text = tableSql(resource, bundle)
  return readTable(parse(text), resource.table ?? '', namesIn(resource, bundle))
}

/** Makes every mutant of both backends and proves each one. */
export async function judgeMutants(): Promise<readonly Judged[]> {
  const judged: Judged[] = []
  for (const { bundle, resource } of mutated()) {
    judged.push(...(await judgeSql(bundle, resource)), ...(await judgeCasl(bundle, resource)))
  }
  for (const { bundle, resource } of guarded()) judged.push(...(await judgeGuard(bundle, resource)))
  return judged
}

/** The resources whose triggers are mutated, with those that their column rules ask about. */
export function guarded(): readonly { readonly bundle: Bundle; readonly resource: Resource }[] {
  const bundle = bundleOf(GUARDED)
  const own = bundle.resources.filter(({ columnRules }) => columnRules.length > 0)
  return [
    ...mutated().slice(0, 1),
    ...own.map(resource => {
      const tables = resource.relations.map(({ table }) => table)
      const resources = bundle.resources.filter(one => one === resource || tables.includes(one.table))
      return { bundle: { ...bundle, resources }, resource }
    })
  ]
}

async function judgeGuard(bundle: Bundle, resource: Resource): Promise<readonly Judged[]> {
  const judged: Judged[] = []
  for (const { name, guard } of guardMutants(await guardOf(resource, bundle), resource, bundle)) {
    const text = printGuard(resource.table ?? '', guard)
    const guards = (one: Resource) => (one.name === resource.name ? text : guardSql(one, bundle))
    const by = killedBy(await prove(bundle, { emitted: { guards } }))
    const same = by === null && !guardDiffers(bundle, resource, guard)
    judged.push(verdictOn('trigger', resource.name, name, { by, same }))
  }
  return judged
}

async function judgeSql(bundle: Bundle, resource: Resource): Promise<readonly Judged[]> {
  const judged: Judged[] = []
  const mutants = sqlMutants(await securityOf(resource, bundle), resource, bundle)
  for (const { name, security, clause } of mutants) {
    const text = printSecurity(resource.table ?? '', security)
    const by = killedBy(await prove(bundle, { emitted: { sql: () => text } }))
    const same = by === null && clause !== null && !clauseDiffers(bundle, resource, clause)
    judged.push(verdictOn('SQL', resource.name, name, { by, same }))
  }
  return judged
}

async function judgeCasl(bundle: Bundle, resource: Resource): Promise<readonly Judged[]> {
  const seen = await emittedRules(bundle)
  const judged: Judged[] = []
  for (const { name, change } of caslMutants(seen)) {
    if (JSON.stringify(change(seen)) === JSON.stringify(seen)) continue
    const report = await prove(bundle, {
      emitted: { casl: (of, principal, now) => change(asEmitted(caslRules(of, principal, now))) }
    })
    const by = killedBy(report)
    const same = by === null && !rulesDiffer(bundle, resource, change)
    judged.push(verdictOn('CASL', resource.name, name, { by, same }))
  }
  return judged
}

function verdictOn(
  backend: Judged['backend'],
  resource: string,
  name: string,
  { by, same }: { readonly by: string | null; readonly same: boolean }
): Judged {
  const why = same ? reasonFor(`${backend} ${resource} ${name}`) : null
  return { backend, resource, name, verdict: by === null ? { killed: false, why } : { killed: true, by } }
}

/** The portable rules of every principal that a proof asks about. */
async function emittedRules(bundle: Bundle): Promise<readonly EmittedRule[]> {
  const seen: EmittedRule[] = []
  const casl: PortableRules = (of, principal, now) => {
    const rules = asEmitted(caslRules(of, principal, now))
    seen.push(...rules)
    return rules
  }
  await prove(bundle, { emitted: { casl } })
  return seen
}

function asEmitted(rules: ReturnType<typeof caslRules>): readonly EmittedRule[] {
  return rules as unknown as readonly EmittedRule[]
}

/** How a proof noticed that something is wrong, or null when it did not. */
function killedBy({ resources }: { readonly resources: readonly ResourceProof[] }): string | null {
  for (const { verdict, gates, findings } of resources) {
    if (verdict === 'not proved: too large') throw new Error('a mutant has too many cases')
    const found = gates.find(({ counterexample }) => counterexample !== null)
    if (found?.counterexample) {
      const { reference, ...sides } = found.counterexample.says
      const wrong = Object.entries(sides).filter(([, says]) => says !== reference)
      return `${found.gate}: ${wrong.map(([side, says]) => `${side} ${says ? 'allows' : 'denies'}`).join(', ')}`
    }
    if (findings[0] !== undefined) return findings[0]
  }
  return null
}
