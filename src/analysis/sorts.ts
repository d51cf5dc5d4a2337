import { narrow } from '../ir/time.js'
import type { ScalarType, Type } from '../ir/types.js'
import type { Scalar } from '../ir/values.js'

/** The n-th of the values of a type that no condition names, n from 1. Finite types begin again. */
export function anyOf(scalar: ScalarType, n: number): Scalar {
  switch (scalar.kind) {
    case 'uuid':
      return `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`
    case 'text':
      return `text ${n}`
    case 'int':
      return 1000 + n
    case 'date':
      // days from 2020 on
      return 18_262 + n
    case 'timestamptz':
      return (18_262 + n) * DAY_US
    case 'bool':
      return n % 2 === 1
    case 'enum':
      return scalar.labels[(n - 1) % scalar.labels.length] ?? ''
  }
}

/** A value for a column or attribute that no condition looks at: null where it may be, else any of its type. */
export function anyValue(type: Type, nullable: boolean): Scalar | null | readonly Scalar[] {
  if (nullable) return null
  if (type.kind === 'set') return []
  return type.kind === 'bool' ? false : anyOf(type, type.kind === 'enum' ? 1 : 0xffff)
}

type Ordered = number | bigint

const DAY_US = 86_400_000_000
const INT8_MIN = -(2n ** 63n)
const INT8_MAX = 2n ** 63n - 1n

/** What is below and above all others, and one value that is neither. */
const EXTREMES: Readonly<Partial<Record<ScalarType['kind'], readonly [Ordered, Ordered, Ordered]>>> = {
  int: [INT8_MIN, 0, INT8_MAX],
  date: [Number.NEGATIVE_INFINITY, 18_262, Number.POSITIVE_INFINITY],
  timestamptz: [Number.NEGATIVE_INFINITY, 18_262 * DAY_US, Number.POSITIVE_INFINITY]
}

/**
 * The values of a type with an order: the literals, and in each gap between two of them as many values as there are
 * terms, or all that the gap has. So the terms can lie in any order, equal or not, in any gap. The least and the
 * greatest value of the type are among them, because that is where arithmetic goes wrong.
 */
export function orderedValues(
  scalar: ScalarType,
  literals: readonly Scalar[],
  terms: number
): readonly Scalar[] {
  const [least, middle, greatest] = EXTREMES[scalar.kind] ?? [0, 0, 0]
  const finite = (literals as readonly Ordered[]).filter(isFiniteNumber)
  const inner = finite.length > 0 ? finite : [middle]
  const values = new Set<Scalar>([least, ...inner, greatest, ...literals])
  // JavaScript takes null for 0 in an ordering: a time before 1970 shows who does
  if (scalar.kind === 'timestamptz') values.add(-1)
  for (const bound of inner) {
    for (const step of [-1n, 1n]) {
      for (let i = 1; i <= terms; i++) {
        const value = narrow(BigInt(bound) + step * BigInt(i))
        // a step over the next literal lands in its gap, which does no harm
        if (value > least && value < greatest) values.add(value)
      }
    }
  }
  return [...values].sort((a, b) => (a < b ? -1 : 1))
}

function isFiniteNumber(value: Ordered): boolean {
  return typeof value === 'bigint' || Number.isFinite(value)
}
