import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

interface Entry {
  readonly version?: string
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

const ROOT = join(import.meta.dirname, '..', '..')
const read = <T>(file: string) => JSON.parse(readFileSync(join(ROOT, file), 'utf8')) as T
const { packages } = read<{ packages: Record<string, Entry> }>('package-lock.json')
const manifest = read<Record<string, Record<string, string>>>('package.json')

t.test('the lockfile names the packages of every platform', async t => {
  // npm leaves out what its registry does not have, and then `npm ci` refuses the lockfile
  const named = Object.keys(packages)
  for (const { optionalDependencies = {} } of Object.values(packages)) {
    for (const name of Object.keys(optionalDependencies)) {
      if (!named.some(path => path.endsWith(`node_modules/${name}`))) t.fail(name)
    }
  }
  t.ok(named.length > 100)
})

t.test('versions are exact, and those of the lockfile', async t => {
  for (const group of ['dependencies', 'devDependencies', 'peerDependencies']) {
    for (const [name, version] of Object.entries(manifest[group] ?? {})) {
      t.equal(packages[`node_modules/${name}`]?.version, version, name)
    }
  }
})
