import { watch } from 'node:fs'
import { YAML_FILE } from '../../policy/files.js'

/** Changes that come within this time are one: editors write a file in several steps. */
const QUIET_MS = 150

/**
 * Calls `work` now and again after each change of a YAML file below a folder, until the signal ends it. Changes during
 * the work make it start again when it is done.
 */
export async function watchFolder(
  dir: string,
  work: () => Promise<void>,
  signal: AbortSignal
): Promise<void> {
  let isDirty = true
  let wake = () => {}
  const watcher = watch(dir, { recursive: true }, (_, name) => {
    if (!YAML_FILE.test(name ?? '')) return
    isDirty = true
    wake()
  })
  signal.addEventListener('abort', () => wake())
  try {
    while (!signal.aborted) {
      if (!isDirty) await new Promise<void>(resolve => (wake = resolve))
      if (signal.aborted) return
      await new Promise(resolve => setTimeout(resolve, QUIET_MS))
      isDirty = false
      await work()
    }
  } finally {
    watcher.close()
  }
}
