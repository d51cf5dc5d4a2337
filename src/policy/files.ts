import { readdir, readFile, stat } from 'node:fs/promises'
import { relative } from 'node:path'
import { MAX_FILE_BYTES } from './source.js'

/** Which files of a folder are policies or tests of them. */
export const YAML_FILE = /\.ya?ml$/

/** Which files of a folder are policy files: `*.test.yaml` holds cases, not rules. */
export const POLICY_FILE = /(?<!\.test)\.ya?ml$/

/** The names of the files below a folder that a pattern fits, in their order. */
export async function namesBelow(dir: string, pattern: RegExp): Promise<readonly string[]> {
  return (await readdir(dir, { recursive: true })).filter(name => pattern.test(name)).sort()
}

/** The text of a file. One over the limit is refused by its size, so its text need not be read whole. */
export async function readText(path: string): Promise<string> {
  const { size } = await stat(path)
  return size > MAX_FILE_BYTES ? ' '.repeat(MAX_FILE_BYTES + 1) : readFile(path, 'utf8')
}

/** A path relative to the working directory, as editors and CI expect it. */
export function shownPath(path: string): string {
  return relative(process.cwd(), path) || path
}
