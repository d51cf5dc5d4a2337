import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cruise, type ICruiseResult, type IDependency, type IModule } from 'dependency-cruiser'
import t from 'tap'

const ROOT = join(import.meta.dirname, '..', '..')

/** What each folder of src may import, beside itself. CONTRIBUTING.md shows the same as a picture. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  ir: ['errors'],
  policy: ['errors', 'ir'],
  backends: ['errors', 'ir'],
  analysis: ['errors', 'ir'],
  engine: ['errors', 'ir', 'analysis', 'backends'],
  prove: ['errors', 'ir', 'analysis', 'backends', 'engine'],
  db: ['errors', 'ir', 'backends'],
  migrate: ['errors', 'ir', 'backends', 'db'],
  drift: ['errors', 'ir', 'backends', 'prove', 'db'],
  live: ['errors', 'ir', 'backends', 'prove', 'db', 'drift'],
  testing: ['errors', 'ir', 'policy', 'analysis', 'backends', 'engine', 'prove', 'db', 'migrate'],
  advise: ['errors', 'ir', 'backends', 'db', 'testing'],
  leakcheck: ['errors', 'policy'],
  generate: ['errors', 'ir', 'backends'],
  server: ['errors', 'ir', 'engine', 'db', 'drift'],
  client: ['errors', 'ir', 'db'],
  cli: [
    'errors',
    'ir',
    'policy',
    'backends',
    'engine',
    'prove',
    'db',
    'migrate',
    'drift',
    'live',
    'testing',
    'advise',
    'leakcheck',
    'generate',
    'server',
    'client'
  ],
  'index.ts': [
    'errors',
    'ir',
    'policy',
    'backends',
    'engine',
    'prove',
    'db',
    'migrate',
    'server',
    'client.ts',
    'client'
  ],
  'client.ts': ['db', 'client']
}

/** Folders whose code only computes. */
const PURE = ['errors', 'ir', 'policy', 'backends', 'analysis', 'engine', 'prove']
/** The parts of Node and the packages with which code acts on something outside of it. */
const EFFECTS =
  /^(node:)?(fs|net|tls|http|https|http2|dgram|child_process|worker_threads|cluster|pg|fastify)\b/
/** The files of a pure folder that may read files. */
const READERS = ['src/policy/files.ts']

/** What is started by its name: as a package, as the program, as a thread. */
const ENTRIES = ['src/index.ts', 'src/client.ts', 'src/cli/main.ts', 'src/drift/worker.ts']

async function modulesOfSource(): Promise<readonly IModule[]> {
  const { output } = await cruise(
    ['src'],
    {
      baseDir: ROOT,
      tsPreCompilationDeps: true,
      tsConfig: { fileName: 'tsconfig.json' },
      doNotFollow: { path: 'node_modules' }
    },
    { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] }
  )
  return (output as ICruiseResult).modules.filter(({ source }) => source.startsWith('src/'))
}

const modules = await modulesOfSource()
const imports = modules.flatMap(({ source, dependencies }) => dependencies.map(to => ({ source, to })))
const folderOf = (path: string): string => path.split('/')[1] ?? ''
const isPackage = ({ dependencyTypes }: IDependency) => dependencyTypes.some(type => type.startsWith('npm'))

t.test('every import resolves', async t => {
  t.ok(modules.length > 40, `${modules.length} files`)
  t.strictSame(
    imports.filter(({ to }) => to.couldNotResolve).map(({ source, to }) => `${source} ${to.module}`),
    []
  )
})

t.test('imports go one way through the layers', async t => {
  const wrong = imports.filter(({ source, to }) => {
    if (!to.resolved.startsWith('src/')) return false
    const [from, target] = [folderOf(source), folderOf(to.resolved)]
    return from !== target && !MAY_IMPORT[from]?.includes(target)
  })
  t.strictSame(
    wrong.map(({ source, to }) => `${source} -> ${to.resolved}`),
    []
  )
})

t.test('every folder is in the table', async t => {
  const folders = new Set(modules.map(({ source }) => folderOf(source)))
  t.strictSame(
    [...folders].filter(folder => !(folder in MAY_IMPORT)),
    []
  )
})

t.test('no file imports itself by a detour', async t => {
  const circular = imports.filter(({ to }) => to.circular)
  t.strictSame(
    circular.map(({ source, to }) => `${source} -> ${to.resolved}`),
    []
  )
})

t.test('no file lies around unused', async t => {
  const used = new Set(imports.map(({ to }) => to.resolved))
  const unused = modules.map(({ source }) => source).filter(file => !used.has(file))
  t.strictSame(
    unused.filter(file => !ENTRIES.includes(file)),
    []
  )
})

t.test('the backends know nothing of each other', async t => {
  const backendOf = (path: string) => (path.startsWith('src/backends/sql/') ? 'sql' : 'casl')
  const crossing = imports.filter(
    ({ source, to }) =>
      folderOf(source) === 'backends' &&
      folderOf(to.resolved) === 'backends' &&
      backendOf(source) !== backendOf(to.resolved)
  )
  t.strictSame(
    crossing.map(({ source, to }) => `${source} -> ${to.resolved}`),
    []
  )
})

t.test('the proof reads SQL with nothing of the code that writes it', async t => {
  const shared = imports.filter(
    ({ source, to }) =>
      source.startsWith('src/prove/') &&
      to.resolved.startsWith('src/backends/sql/') &&
      // names of roles and accessors, and the text that is read back
      !['src/prove/resource.ts', 'src/prove/emitted.ts'].includes(source)
  )
  t.strictSame(
    shared.map(({ source, to }) => `${source} -> ${to.resolved}`),
    []
  )
})

t.test('the decision is made by code that only computes', async t => {
  const acting = imports.filter(
    ({ source, to }) =>
      PURE.includes(folderOf(source)) &&
      !READERS.includes(source) &&
      !to.dependencyTypes.includes('type-only') &&
      EFFECTS.test(to.module)
  )
  t.strictSame(
    acting.map(({ source, to }) => `${source} -> ${to.module}`),
    []
  )
})

t.test('the program imports only packages that are installed with it', async t => {
  const foreign = imports.filter(({ to }) => isPackage(to) && !to.dependencyTypes.includes('npm'))
  const allowed = foreign.filter(
    // the embedded database is optional: whoever wants it installs it
    ({ source, to }) =>
      source === 'src/db/embedded.ts' &&
      to.module.startsWith('@electric-sql/pglite') &&
      (to.dynamic || to.dependencyTypes.includes('type-only'))
  )
  t.strictSame(
    foreign.filter(each => !allowed.includes(each)).map(({ source, to }) => `${source} -> ${to.module}`),
    []
  )
})

/** The packages and files that a file loads with itself, and not through imports that wait. */
function loadedWith(file: string): ReadonlySet<string> {
  const files = new Set([file])
  const packages = new Set<string>()
  // a set grows while it is gone through
  for (const source of files) {
    for (const { to } of imports.filter(one => one.source === source)) {
      if (to.dynamic || to.dependencyTypes.some(type => type.startsWith('type-'))) continue
      if (to.resolved.startsWith('src/')) files.add(to.resolved)
      else packages.add(to.module)
    }
  }
  return new Set([...packages, ...files])
}

t.test('a start of the service loads nothing that it does not need', async t => {
  const started = loadedWith('src/cli/commands/serve.ts')
  t.ok(started.has('yaml'), [...started].join(' '))
  const answers = loadedWith('src/server/start.ts')
  t.ok(answers.has('fastify'), [...answers].join(' '))
  const late = ['pg', 'libpg-query', 'node-pg-migrate', 'ajv', '@electric-sql/pglite', 'diff']
  t.strictSame(
    late.filter(name => started.has(name) || answers.has(name)),
    []
  )
  t.notOk(started.has('fastify'), 'it waits until the database is asked')
  t.notOk(loadedWith('src/cli/run.ts').has('fastify'), 'nor does another command load the service')
  const onServer = loadedWith('src/cli/serve/server-facts.ts')
  t.ok(onServer.has('pg'))
  const complete = ['node-pg-migrate', 'libpg-query', 'src/backends/sql/access.ts', 'src/drift/compare.ts']
  t.strictSame(
    complete.filter(name => onServer.has(name)),
    [],
    'a verified database is not compared'
  )
})

t.test('a start on a server does not load fetch, which pg would have Node do', async t => {
  const loaded = async (file: string) => {
    const script = `await import(${JSON.stringify(join(ROOT, file))}); console.log(process.moduleLoadList.join('\\n'))`
    const flags = ['--import', import.meta.resolve('@tapjs/typescript/import'), '--input-type=module']
    const { stdout } = await promisify(execFile)(process.execPath, [...flags, '--eval', script])
    return stdout
  }
  const started = await loaded('src/cli/serve/server-facts.ts')
  t.match(started, /NativeModule net/)
  t.notMatch(started, /undici/)
})
