import { execFile, execFileSync } from 'node:child_process'
import { join } from 'node:path'

/** What the example for Python needs, and where Debian has it. */
const NEEDS = 'Debian: python3-psycopg, python3-psycopg-pool, python3-starlette, python3-httpx'
const EXAMPLE = join(import.meta.dirname, '..', '..', 'examples', 'python')
const DRIVER = join(import.meta.dirname, '..', 'client', 'python')

/**
 * A Python that has all packages, or why a test is skipped. TWINRULE_TEST_PYTHON=1 makes its absence an error.
 */
export function findPython(): { readonly program: string } | { readonly skip: string } {
  for (const program of ['/usr/bin/python3', 'python3']) {
    try {
      execFileSync(program, ['-c', 'import httpx, psycopg, psycopg_pool, starlette'], { stdio: 'ignore' })
      return { program }
    } catch {
      // another one may have them
    }
  }
  const missing = `no Python 3 with psycopg 3, psycopg_pool, starlette and httpx (${NEEDS})`
  if (process.env['TWINRULE_TEST_PYTHON'] === '1') throw new Error(missing)
  return { skip: missing }
}

/** Asks test/client/python/drive.py one question. */
export function askPython<T>(
  program: string,
  question: { readonly ask: string; readonly [name: string]: unknown },
  env: Readonly<Record<string, string>> = {}
): Promise<T> {
  const own = { PYTHONPATH: `${EXAMPLE}:${DRIVER}`, PYTHONDONTWRITEBYTECODE: '1' }
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      [join(DRIVER, 'drive.py')],
      { env: { ...process.env, ...own, ...env } },
      (error, out, err) => (error === null ? resolve(JSON.parse(out) as T) : reject(new Error(err)))
    )
    child.stdin?.end(JSON.stringify(question))
  })
}
