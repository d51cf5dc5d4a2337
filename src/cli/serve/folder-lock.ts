import { rmSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ConfigError } from '../../errors/errors.js'

/**
 * Keeps a second process from the data of an embedded database, which two at once would destroy. A lock that a killed
 * process left behind is taken over.
 *
 * @returns a function that gives the folder free; it is also free when the process ends
 * @throws ConfigError TWR_CONFIG_EMBEDDED when another process has it
 */
export async function lockFolder(folder: string): Promise<() => void> {
  const file = `${folder}.lock`
  try {
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, String(process.pid), { flag: 'wx' })
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw notWritable(folder, cause)
    await takeOver(folder, file)
  }
  const unlock = () => {
    process.removeListener('exit', unlock)
    rmSync(file, { force: true })
  }
  process.once('exit', unlock)
  return unlock
}

function notWritable(folder: string, cause: unknown): ConfigError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new ConfigError('TWR_CONFIG_EMBEDDED', `the embedded database cannot be kept in ${folder}: ${why}`, {
    cause,
    hint: 'set TWINRULE_DATA_DIR to a folder that you may write to, or DATABASE_URL to a PostgreSQL server'
  })
}

async function takeOver(folder: string, file: string): Promise<void> {
  const holder = Number(await readFile(file, 'utf8').catch(() => ''))
  if (holder > 0 && isRunning(holder)) {
    throw new ConfigError(
      'TWR_CONFIG_EMBEDDED',
      `process ${holder} uses the embedded database in ${folder}`,
      {
        hint: `stop it, or set TWINRULE_DATA_DIR to another folder; delete ${file} if that process is something else`
      }
    )
  }
  await writeFile(file, String(process.pid))
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it runs, as somebody else
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
