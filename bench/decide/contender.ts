import type { Ask, Workload } from './workload.js'

/** Answers one question: whether it is allowed. */
export type Decide = (ask: Ask) => boolean

/** One way to decide. */
export interface Contender {
  readonly name: string
  /** What is said of it in the table. */
  readonly about: string
  /** Of how many questions a round asks it 1; slow ones are asked a part. */
  readonly oneIn: number
  /** The most resource types with which it is measured; beyond them it would take minutes. */
  readonly maxKinds: number
  prepare(workload: Workload): Decide | Promise<Decide>
}
