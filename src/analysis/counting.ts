import type { Scalar } from '../ir/values.js'
import { type Domain, roomOfSet, type Variable } from './domain.js'

/** Related rows of one relation: a model has a list of at most so many different ones. */
export interface RelatedLists {
  readonly relation: string
  readonly most: number
}

/** How many ways there are to choose, by how many values of a domain are in use afterwards. */
type Ways = ReadonlyMap<number, bigint>

/** Exactly how many models some domains have, without making any of them. */
export function countModels(domains: readonly Domain[], lists: readonly RelatedLists[]): bigint {
  // for each combination of how many related rows there are to choose from, the ways of everything else
  let states = new Map<string, { readonly rows: readonly bigint[]; readonly ways: bigint }>()
  states.set('', { rows: lists.map(() => 1n), ways: 1n })
  for (const domain of domains) {
    const next: typeof states = new Map()
    for (const [used, ways] of waysOf(domain, isShared, new Map([[domain.named, 1n]]))) {
      const from = new Map([[used, 1n]])
      const own = ways * total(waysOf(domain, ({ side }) => side === 'row', from))
      const more = lists.map(({ relation }) =>
        total(waysOf(domain, one => one.side === 'related' && one.relation === relation, from))
      )
      for (const before of states.values()) {
        const rows = before.rows.map((count, i) => count * (more[i] ?? 1n))
        const key = rows.join()
        next.set(key, { rows, ways: before.ways * own + (next.get(key)?.ways ?? 0n) })
      }
    }
    states = next
  }
  return [...states.values()].reduce((sum, { rows, ways }) => {
    const choices = lists.map(({ most }, i) => listCount(rows[i] ?? 1n, most))
    return sum + choices.reduce((product, some) => product * some, ways)
  }, 0n)
}

/** How many principals there are, each at each time. */
export function countPrincipals(domains: readonly Domain[]): bigint {
  return domains.reduce(
    (product, domain) => product * total(waysOf(domain, isShared, new Map([[domain.named, 1n]]))),
    1n
  )
}

/** How many rows there are beside a principal with so many values in use, related rows aside. */
export function countRows(domains: readonly Domain[], used: readonly number[]): bigint {
  return domains.reduce((product, domain, i) => {
    const from = new Map([[used[i] ?? 0, 1n]])
    return product * total(waysOf(domain, ({ side }) => side === 'row', from))
  }, 1n)
}

/** The most related rows that one principal has to choose from, in all relations together, times all principals. */
export function countCandidates(domains: readonly Domain[], lists: readonly RelatedLists[]): bigint {
  const without = domains.map(domain => ({
    ...domain,
    variables: domain.variables.filter(({ side }) => side !== 'row')
  }))
  return lists.reduce(
    (sum, { relation }) => sum + countModels(without, [{ relation, most: 1 }]),
    countModels(without, [])
  )
}

/** How many lists there are of at most so many of some rows, the order aside. */
export function listCount(rows: number | bigint, most: number): bigint {
  let sum = 0n
  let ofThisLength = 1n
  for (let length = 0n; length <= BigInt(most); length++) {
    sum += ofThisLength
    ofThisLength = (ofThisLength * (BigInt(rows) - length)) / (length + 1n)
  }
  return sum
}

function isShared({ side }: Variable): boolean {
  return side === 'principal' || side === 'clock'
}

function total(ways: Ways): bigint {
  return [...ways.values()].reduce((sum, some) => sum + some, 0n)
}

/** The ways to choose some variables of a domain. */
function waysOf(domain: Domain, which: (variable: Variable) => boolean, from: Ways): Ways {
  let ways = from
  for (const variable of domain.variables.filter(which)) {
    const next = new Map<number, bigint>()
    const add = (used: number, more: bigint) => next.set(used, (next.get(used) ?? 0n) + more)
    for (const [used, before] of ways) {
      const free = domain.values.length - used
      if (variable.nullable) add(used, before)
      if (variable.type.kind === 'set') {
        // each value in use may be a member, and so may null
        const members = before * 2n ** BigInt(used + 1)
        const room = Math.min(free, roomOfSet(domain, variable))
        for (let grown = 0; grown <= room; grown++) add(used + grown, members)
      } else {
        const known = domain.values.slice(0, used).filter(value => mayBe(variable, value))
        add(used, before * BigInt(known.length))
        if (free > 0) add(used + 1, before)
      }
    }
    ways = next
  }
  return ways
}

/** A clock is a safe number of microseconds, until the year 2255; a column may hold more, and infinity. */
export function mayBe({ side }: Variable, value: Scalar): boolean {
  return side !== 'clock' || Number.isSafeInteger(value)
}
