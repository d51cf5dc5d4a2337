import { randomBytes } from 'node:crypto'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { ConfigError } from '../errors/errors.js'

/**
 * Writes a file whole or not at all: a reader sees the old text or the new one, never a part.
 *
 * @returns whether the file had other text before, or did not exist
 * @throws ConfigError when the folder is missing or not writable
 */
export async function writeWhole(path: string, text: string): Promise<boolean> {
  const before = await readFile(path, 'utf8').catch(() => null)
  if (before === text) return false
  const draft = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`)
  try {
    await writeFile(draft, text, { flag: 'wx' })
    await rename(draft, path)
  } catch (cause) {
    await rm(draft, { force: true })
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new ConfigError('TWR_CONFIG', `cannot write ${path}: ${why}`, {
      cause,
      hint: 'name a file in a folder that exists and that you may write to'
    })
  }
  return true
}
