import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, chown, cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { allowedByIgnore, envOf, type Stage } from './dockerfile.js'

/** The user and group that replayed commands run as when the test itself runs as root: Debian's "nobody". */
const NOBODY = { uid: 65534, gid: 65534 }
const asRoot = process.getuid?.() === 0

/** What a replayed command printed, and how it ended. */
export interface Ended {
  readonly code: number | null
  readonly output: string
}

/** A folder in which the stages of a Dockerfile are built. Every stage has an empty root of its own. */
export interface Replay {
  /** Runs the COPY and RUN steps of a stage. @throws Error with the output when a step fails */
  build(stage: Stage): Promise<void>
  /** Starts a command in a built stage, as the unprivileged user, with the stage's ENV and nothing else. */
  start(stage: Stage, argv: readonly string[], env?: Record<string, string>): ChildProcess
  /** The same, until it ends. */
  run(stage: Stage, argv: readonly string[], env?: Record<string, string>): Promise<Ended>
  /** The folder on this machine of a path in a stage. */
  folder(stage: Stage, path: string): string
  remove(): Promise<void>
}

/** Prepares a replay of the repository at `root`, with only those files that .dockerignore lets through. */
export async function createReplay(root: string, ignore: string): Promise<Replay> {
  const base = await mkdtemp(join(tmpdir(), 'twinrule-image-'))
  await chmod(base, 0o755)
  const context = join(base, 'context')
  for (const path of allowedByIgnore(ignore)) {
    if (existsSync(join(root, path))) await cp(join(root, path), join(context, path), { recursive: true })
  }
  const home = join(base, 'home')
  await mkdir(home)
  await copyNpmCache(home)
  const environment = { PATH: process.env['PATH'] ?? '', HOME: home, ...npmSettings(home) }
  const folder = (stage: Stage, path: string) => join(base, stage.name, path)
  const start: Replay['start'] = (stage, argv, env = {}) => {
    const variables = Object.entries({ ...environment, ...envOf(stage), ...env })
    // through env: tap adds variables of its own to what a test spawns
    return spawn('/usr/bin/env', ['-i', ...variables.map(pair => pair.join('=')), ...argv], {
      cwd: folder(stage, workdirOf(stage)),
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(asRoot ? NOBODY : {})
    })
  }
  const run: Replay['run'] = (stage, argv, env) => untilEnd(start(stage, argv, env))
  const build: Replay['build'] = async stage => {
    await mkdir(folder(stage, workdirOf(stage)), { recursive: true })
    if (asRoot && stage.steps.some(({ name }) => name === 'RUN')) await giveAway(join(base, stage.name))
    for (const step of stage.steps) {
      if (step.name === 'COPY') await copy(step.rest, stage, base, context)
      if (step.name !== 'RUN') continue
      const { code, output } = await run(stage, ['/bin/sh', '-c', step.rest])
      if (code !== 0) throw new Error(`RUN ${step.rest} ended with ${code}:\n${output}`)
    }
  }
  return { build, start, run, folder, remove: () => rm(base, { recursive: true, force: true }) }
}

function workdirOf(stage: Stage): string {
  return stage.steps.find(({ name }) => name === 'WORKDIR')?.rest ?? '/'
}

/** COPY of files and folders into the stage's working directory. Copying a folder copies what is in it. */
async function copy(rest: string, stage: Stage, base: string, context: string): Promise<void> {
  const words = rest.split(/\s+/)
  const from = words.find(word => word.startsWith('--from='))?.slice('--from='.length)
  const paths = words.filter(word => !word.startsWith('--'))
  const target = join(base, stage.name, workdirOf(stage), paths.at(-1) ?? '.')
  for (const path of paths.slice(0, -1)) {
    const source = from === undefined ? join(context, path) : join(base, from, path)
    const isFolder = await readdir(source).then(
      () => true,
      () => false
    )
    // links stay links: those in node_modules/.bin are relative
    await cp(source, isFolder ? target : join(target, basename(path)), {
      recursive: true,
      verbatimSymlinks: true
    })
  }
  if (asRoot && stage.steps.some(({ name }) => name === 'RUN')) await giveAway(join(base, stage.name))
}

async function giveAway(folder: string): Promise<void> {
  execFileSync('chown', ['-R', `${NOBODY.uid}:${NOBODY.gid}`, folder])
}

/** Nobody may read root's npm cache, and without it every run would download everything again. */
async function copyNpmCache(home: string): Promise<void> {
  const cache = join(homedir(), '.npm', '_cacache')
  if (existsSync(cache)) {
    // what another npm is just writing may be gone in a moment
    const filter = (path: string) => path !== join(cache, 'tmp')
    await cp(cache, join(home, '.npm', '_cacache'), { recursive: true, filter })
  }
  if (asRoot) await giveAway(home)
  else await chown(home, process.getuid?.() ?? 0, process.getgid?.() ?? 0)
}

/** The registry and the certificates that npm uses here; an image builder has its own. */
function npmSettings(home: string): Record<string, string> {
  const settings: Record<string, string> = {
    npm_config_cache: join(home, '.npm'),
    npm_config_prefer_offline: 'true',
    npm_config_update_notifier: 'false'
  }
  for (const key of ['registry', 'cafile']) {
    const value = execFileSync('npm', ['config', 'get', key], {
      encoding: 'utf8',
      cwd: dirname(home),
      stdio: ['ignore', 'pipe', 'ignore']
    }).trim()
    if (value !== '' && value !== 'null' && value !== 'undefined') settings[`npm_config_${key}`] = value
  }
  for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy']) {
    const value = process.env[name]
    if (value !== undefined) settings[name] = value
  }
  return settings
}

function untilEnd(child: ChildProcess): Promise<Ended> {
  let output = ''
  const collect = (data: Buffer) => {
    output += data.toString()
  }
  child.stdout?.on('data', collect)
  child.stderr?.on('data', collect)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', code => resolve({ code, output }))
  })
}
