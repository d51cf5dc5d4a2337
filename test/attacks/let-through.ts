import type { Attack } from './attack.js'

/** For each attack the safeguards without which it gets through. */
export type LetThrough = Readonly<Record<string, readonly string[]>>

/** Mutants that no attack can tell from the real thing, and why that is so. */
export const HARMLESS: Readonly<Record<string, string>> = {
  'the settings stay for the session': 'the seal is worth nothing in another transaction',
  'any row may be deleted':
    'DELETE is granted to nobody; remove() and soft_delete() ask policies of their own',
  'its right to be called': 'the function asks by itself who calls it',
  'a new row may be global':
    'UPDATE of the columns of sharing is granted to nobody; share_globally() asks its own policy',
  'any row may be shared': 'the rule about the new row and the column rules refuse it as well'
}

/** What an attack says that did not get through but could not be made: it shows nothing of the safeguard. */
const FAILED = /^it fails: /

/**
 * The least to show of everything that got through: each attack with the safeguard that holds the fewest others, and
 * each safeguard with one attack at least.
 *
 * @param got what got through without each safeguard
 */
export function leastShown(
  attacks: readonly Attack[],
  got: ReadonlyMap<string, ReadonlyMap<string, string>>
): LetThrough {
  const really = [...got].map(([mutant, what]) => {
    const names = [...what].filter(([, how]) => !FAILED.test(how)).map(([name]) => name)
    return { mutant, names }
  })
  const fewest = [...really].sort((a, b) => a.names.length - b.names.length)
  const shown = new Map<string, string[]>()
  for (const { name } of attacks) {
    const found = fewest.find(({ names }) => names.includes(name))
    shown.set(name, found === undefined ? [] : [found.mutant])
  }
  for (const { mutant, names } of really) {
    if (names.some(name => shown.get(name)?.includes(mutant))) continue
    const [least] = [...names].sort((a, b) => (shown.get(a)?.length ?? 0) - (shown.get(b)?.length ?? 0))
    if (least !== undefined) shown.get(least)?.push(mutant)
  }
  return Object.fromEntries([...shown].filter(([, mutants]) => mutants.length > 0))
}
