import { createEngine, type Engine } from '../../engine/engine.js'
import { ConfigError, type PolicyError } from '../../errors/errors.js'
import type { Bundle } from '../../ir/model.js'
import { loadFolder } from '../../policy/load.js'
import { CoverageMeter } from '../../testing/coverage.js'
import { databaseLock } from '../../testing/database-lock.js'
import { withEmbedded } from '../../testing/embedded.js'
import { engineLock } from '../../testing/engine-lock.js'
import type { TestFile } from '../../testing/file.js'
import { httpLock } from '../../testing/http-lock.js'
import { loadTests } from '../../testing/load.js'
import { type Lock, requestOf } from '../../testing/lock.js'
import { mutationReport } from '../../testing/mutate.js'
import type { Report } from '../../testing/report/report.js'
import { type FileResult, runTests, tally } from '../../testing/run.js'
import { withDatabase } from '../../testing/server-database.js'
import { type Io, variable } from '../io.js'

/** What a run is asked to do. */
export interface TestFlags {
  readonly rls?: boolean
  readonly database?: string
  readonly migrations?: string
  readonly url?: string
  readonly coverage?: boolean
  readonly mutate?: boolean
}

/** What a run found: a report, or the mistakes that kept it from running. */
export type Outcome = { readonly report: Report } | { readonly problems: readonly PolicyError[] }

/** Runs the tests of a folder once. */
export async function testOnce(dir: string, flags: TestFlags, io: Io): Promise<Outcome> {
  const { bundle, problems } = await loadFolder(dir)
  if (bundle === null) return { problems }
  const tests = await loadTests(dir, bundle)
  if (tests.problems.length > 0) return { problems: tests.problems }
  const engine = createEngine(bundle)
  const locks = [engineLock(engine), ...(flags.url === undefined ? [] : [serviceLock(flags.url, bundle, io)])]
  const run = (more: readonly Lock[]) => runTests(tests.files, [...locks, ...more])
  const files = await withDatabaseLock(bundle, flags, io, run)
  const { failed } = tally(files)
  if (flags.mutate === true && failed > 0) io.err('no mutants are tried while tests fail\n')
  const names = [...locks.map(({ name }) => name), ...(asksDatabase(flags) ? (['rls'] as const) : [])]
  return {
    report: {
      revision: engine.revision,
      locks: names,
      files,
      coverage: flags.coverage === true ? coverageOf(engine, tests.files) : null,
      mutation:
        flags.mutate === true && failed === 0 ? mutationReport(engine, tests.files, progress(io)) : null,
      explain: ({ file }, { test }) =>
        test.who.attributes === null ? null : engine.explain(requestOf(test, file.fixtures), { maxSteps: 0 })
    }
  }
}

function asksDatabase({ rls, database }: TestFlags): boolean {
  return rls === true || database !== undefined
}

function withDatabaseLock(
  bundle: Bundle,
  { rls, database, migrations }: TestFlags,
  io: Io,
  run: (locks: readonly Lock[]) => Promise<readonly FileResult[]>
): Promise<readonly FileResult[]> {
  if (database !== undefined)
    return withDatabase(database, bundle, client => run([databaseLock(client, bundle)]))
  if (rls !== true) return run([])
  return withEmbedded(bundle, { migrations, env: io.env }, client => run([databaseLock(client, bundle)]))
}

function serviceLock(url: string, bundle: Bundle, io: Io): Lock {
  const [apiKey = ''] = (variable(io, 'TWINRULE_API_KEYS') ?? '').split(',')
  if (apiKey === '' || !URL.canParse(url)) {
    const message = apiKey === '' ? 'TWINRULE_API_KEYS is not set' : `--url ${url} is no URL`
    throw new ConfigError('TWR_CONFIG', message, {
      hint: '--url names the service, TWINRULE_API_KEYS holds a key that it takes'
    })
  }
  return httpLock({ url, apiKey: apiKey.trim(), bundle })
}

function coverageOf(engine: Engine, files: readonly TestFile[]) {
  const meter = new CoverageMeter(engine.bundle)
  for (const { cases, fixtures } of files) {
    for (const one of cases) {
      // of nobody no rule is asked
      if (one.who.attributes !== null) meter.add(engine.explain(requestOf(one, fixtures), { maxSteps: 0 }))
    }
  }
  return meter.coverage()
}

/** Mutants take seconds: say how far it is, now and then. */
function progress(io: Io): (done: number, all: number) => void {
  let said = Date.now()
  return (done, all) => {
    if (Date.now() - said < 2000) return
    said = Date.now()
    io.err(`${done} of ${all} mutants\n`)
  }
}
