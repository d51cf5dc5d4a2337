import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { ConfigError } from '../../errors/errors.js'
import { POLICY_FILE } from '../../policy/files.js'
import { MAX_FILE_BYTES } from '../../policy/source.js'

const run = promisify(execFile)

/**
 * The policy files of a folder as they were in a git revision, by the name `revision:path`.
 *
 * @param path the folder, as seen from the working directory
 * @throws ConfigError when git, the revision or the folder is not there
 */
export async function textsAt(revision: string, path: string): Promise<Record<string, string>> {
  const commit = await commitOf(revision)
  const texts: Record<string, string> = {}
  for (const { name, object, size } of await filesAt(commit, path)) {
    // a file over the limit is refused by its size, so its text need not be read whole
    const tooLarge = size > MAX_FILE_BYTES
    texts[`${revision}:${name}`] = tooLarge ? ' '.repeat(size) : await git(['cat-file', 'blob', object])
  }
  if (Object.keys(texts).length > 0) return texts
  throw new ConfigError('TWR_CONFIG_REVISION', `revision ${revision} has no policy file in ${path}`, {
    hint: 'name the folder of that revision, for example `main:config/policies`'
  })
}

async function commitOf(revision: string): Promise<string> {
  // safety: what starts with a dash would be an option of git, some of which write files or run programs
  if (revision === '' || revision.startsWith('-')) {
    throw new ConfigError('TWR_CONFIG_REVISION', `no revision: ${JSON.stringify(revision)}`)
  }
  try {
    return (
      await git(['rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`])
    ).trim()
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT'
    const message = missing ? 'git is not installed' : `neither a folder nor a git revision: ${revision}`
    throw new ConfigError('TWR_CONFIG_REVISION', message, {
      cause,
      hint: 'name a folder, a revision such as `main`, or both as `main:policies`; CI needs the history of it'
    })
  }
}

interface TreeFile {
  readonly name: string
  readonly object: string
  readonly size: number
}

const REGULAR_FILE = /^100(?:644|755) blob (?<object>[0-9a-f]+) +(?<size>\d+)\t(?<name>[\s\S]+)$/

async function filesAt(commit: string, path: string): Promise<readonly TreeFile[]> {
  const listing = await git(['ls-tree', '-r', '-l', '-z', commit, '--', path]).catch(() => '')
  return listing.split('\0').flatMap(line => {
    const { object, size, name } = REGULAR_FILE.exec(line)?.groups ?? {}
    if (object === undefined || name === undefined || !POLICY_FILE.test(name)) return []
    return [{ name, object, size: Number(size) }]
  })
}

async function git(args: readonly string[]): Promise<string> {
  // safety: no shell, so nothing in a revision or a path is more than an argument
  return (await run('git', [...args], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })).stdout
}
