import type { Marks } from '../engine/explain/words.js'
import type { Colors } from './io.js'

/** The marks of an explanation in the colours of a terminal. */
export function marksOf({ green, red, dim, bold }: Colors): Marks {
  return { good: green, bad: red, faint: dim, strong: bold }
}
