import type { TestCase } from './case.js'
import type { TestFile } from './file.js'
import { LOCKS, type Lock, type LockName, type Verdict } from './lock.js'

/** What became of one question. */
export interface CaseResult {
  readonly test: TestCase
  readonly verdicts: ReadonlyMap<LockName, Verdict>
  /** What is wrong, in one sentence; null where nothing is. */
  readonly message: string | null
  /** The locks that say something else than the others, where some do. */
  readonly disagreeing: readonly LockName[]
}

/** What became of a file. */
export interface FileResult {
  readonly file: TestFile
  readonly results: readonly CaseResult[]
}

/** Puts every question of every file to every lock. */
export async function runTests(
  files: readonly TestFile[],
  locks: readonly Lock[]
): Promise<readonly FileResult[]> {
  const done: FileResult[] = []
  for (const file of files) {
    const columns: (readonly [LockName, readonly Verdict[]])[] = []
    // one after the other: a report of two faults at once helps nobody
    for (const lock of locks) columns.push([lock.name, await lock.ask(file)])
    const results = file.cases.map((test, i) => {
      const verdicts = columns.flatMap(([name, all]) => {
        const verdict = all[i]
        return verdict === undefined ? [] : [[name, verdict] as const]
      })
      return judge(test, new Map(verdicts))
    })
    done.push({ file, results })
  }
  return done
}

function judge(test: TestCase, verdicts: ReadonlyMap<LockName, Verdict>): CaseResult {
  const asked = LOCKS.filter(name => (verdicts.get(name)?.decision ?? null) !== null)
  const wrong = asked.filter(name => verdicts.get(name)?.decision !== test.expected)
  const right = asked.filter(name => !wrong.includes(name))
  const faulty = LOCKS.find(name => verdicts.get(name)?.fault === true)
  const result = { test, verdicts, disagreeing: right.length > 0 ? wrong : [] }
  if (faulty !== undefined) {
    return { ...result, message: `${faulty} cannot tell: ${verdicts.get(faulty)?.detail}` }
  }
  if (wrong.length > 0) return { ...result, message: wrongMessage(test, right, wrong) }
  return { ...result, message: otherReason(test, verdicts) }
}

/** The same sentence whichever locks were asked, as long as they agree. */
function wrongMessage(
  { expected }: TestCase,
  right: readonly LockName[],
  wrong: readonly LockName[]
): string {
  const says = (allows: boolean) => (allows ? 'allow' : 'deny')
  const got = `expected ${says(expected)}, got ${says(!expected)}`
  if (right.length === 0) return got
  return `the locks disagree: ${wrong.join(' and ')} ${says(!expected)}, ${right.join(' and ')} ${says(expected)} as expected`
}

function otherReason({ by, because }: TestCase, verdicts: ReadonlyMap<LockName, Verdict>): string | null {
  for (const [name, { rule, code }] of verdicts) {
    if (by !== null && rule !== undefined && rule !== by) {
      return `expected to be allowed by ${by}, ${name} says ${rule}`
    }
    if (because !== null && code !== undefined && code !== because) {
      return `expected to be denied with ${because}, ${name} says ${code}`
    }
  }
  return null
}

/** How many questions there were, and how many answers were wrong. */
export function tally(files: readonly FileResult[]): { readonly passed: number; readonly failed: number } {
  const all = files.flatMap(({ results }) => results)
  const failed = all.filter(({ message }) => message !== null).length
  return { passed: all.length - failed, failed }
}
