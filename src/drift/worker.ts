import { parentPort, workerData } from 'node:worker_threads'
import type { Task } from './apart.js'
import { createJudge } from './check.js'

const { bundle, compared, maxModels } = workerData as Task
parentPort?.postMessage(await createJudge(bundle, { maxModels })(compared))
