import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Bundle } from '../ir/model.js'
import type { DriftOptions } from './check.js'
import type { Compared, Judge, Judged } from './look.js'

/** What the worker is given. */
export interface Task extends DriftOptions {
  readonly bundle: Bundle
  readonly compared: Compared
}

/**
 * Makes a judge that compares in a thread of its own, which ends with the comparison: parser, compiled statements and
 * what they hold are gone then, and meanwhile requests are answered.
 */
export function createJudgeApart(bundle: Bundle, { maxModels }: DriftOptions): Judge {
  return async compared => {
    const workerData: Task = { bundle, compared, maxModels }
    const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData })
    try {
      // an error of the worker rejects
      const [judged] = (await Promise.race([once(worker, 'message'), ended(worker)])) as [Judged]
      return judged
    } finally {
      await worker.terminate()
    }
  }
}

/** safety: no answer is no clean one */
async function ended(worker: Worker): Promise<never> {
  const [code] = (await once(worker, 'exit')) as [number]
  throw new Error(`the comparison ended with ${code}`)
}
