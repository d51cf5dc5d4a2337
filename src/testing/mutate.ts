import { type PolicyMutant, policyMutants } from '../analysis/mutants.js'
import { createEngine, type Engine } from '../engine/engine.js'
import { placeOf } from '../engine/explain/trace.js'
import { decideCase } from './engine-lock.js'
import type { TestFile } from './file.js'
import { type Kill, killOf } from './kill.js'
import { tells } from './kill-case.js'
import { knownYaml, ownYaml } from './paste.js'

/** A test that is missing. */
export interface MissingTest {
  /** The mistakes that it would notice and no other test does. */
  readonly mistakes: readonly string[]
  /** The test, ready to be pasted under `tests:`. */
  readonly paste: string
}

/** How many mistakes the tests notice. */
export interface MutationReport {
  readonly mutants: number
  readonly killed: number
  /** How many are not noticed, and the tests that would notice them. */
  readonly survived: number
  readonly missing: readonly MissingTest[]
  /** Those that decide as the policy does in every small case, so that no test can notice them. */
  readonly same: readonly string[]
  /** Those that made no difference in the cases that were tried, which were not all. */
  readonly unclear: readonly string[]
}

/**
 * Makes every small mistake in the policy and sees whether a test fails. The tests must pass without it.
 *
 * @param onProgress told how many mutants are done
 */
export function mutationReport(
  engine: Engine,
  files: readonly TestFile[],
  onProgress?: (done: number, all: number) => void
): MutationReport {
  const mutants = policyMutants(engine.bundle)
  const found: { readonly kill: Found; readonly first: string; readonly mistakes: string[] }[] = []
  const same: string[] = []
  const unclear: string[] = []
  for (const [i, mutant] of mutants.entries()) {
    onProgress?.(i, mutants.length)
    if (isKilled(mutant, files)) continue
    // a test that is missing for one mistake often notices others too
    const other = createEngine(mutant.bundle)
    const known = found.find(({ kill }) => notices(engine, other, kill))
    if (known !== undefined) {
      known.mistakes.push(labelOf(mutant))
      continue
    }
    const kill = killOf(engine, mutant, files)
    if (kill.kind === 'same') same.push(labelOf(mutant))
    else if (kill.kind === 'not found') unclear.push(labelOf(mutant))
    else found.push({ kill, first: mutant.name, mistakes: [labelOf(mutant)] })
  }
  const survived = found.reduce((sum, { mistakes }) => sum + mistakes.length, 0)
  const killed = mutants.length - survived - same.length - unclear.length
  const missing = found.map(({ kill, first, mistakes }) => ({
    mistakes,
    paste: pasteOf(kill, mistakes, first)
  }))
  return { mutants: mutants.length, killed, survived, missing, same, unclear }
}

type Found = Extract<Kill, { readonly telling: unknown }>

function notices(engine: Engine, mutant: Engine, kill: Found): boolean {
  if (kill.kind === 'own') return tells(engine, mutant, kill.telling.test) !== null
  const { test, fixtures, decision } = kill.telling
  return decideCase(mutant, test, fixtures).decision !== decision
}

function pasteOf(kill: Found, mistakes: readonly string[], first: string): string {
  const comments = mistakes.map(name => `noticed by no other test: ${name}`)
  // the ids of a test are made from what it is there for
  return kill.kind === 'known'
    ? knownYaml(kill.telling, comments)
    : ownYaml(kill.telling, comments, `mutant ${first}`)
}

function isKilled({ bundle }: PolicyMutant, files: readonly TestFile[]): boolean {
  const engine = createEngine(bundle)
  return files.some(({ cases, fixtures }) =>
    cases.some(one => {
      const { decision, context } = decideCase(engine, one, fixtures)
      const otherRule = one.by !== null && context.rule !== one.by
      const otherCode = one.because !== null && context.code !== one.because
      return decision !== one.expected || otherRule || otherCode
    })
  )
}

/** What was changed, and where. */
function labelOf({ name, span }: PolicyMutant): string {
  const at = placeOf(span)
  return at === null ? name : `${name} (${at})`
}

/** The share of the mistakes that are known to be noticeable and are noticed, between 0 and 1. */
export function mutationScore({ killed, survived }: MutationReport): number {
  const possible = killed + survived
  return possible === 0 ? 1 : killed / possible
}
