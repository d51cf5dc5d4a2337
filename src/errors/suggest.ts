import leven from 'leven'

/** The known name closest to what was written, or undefined when none is close. */
export function closest(written: string, known: Iterable<string>): string | undefined {
  let best: string | undefined
  let distance = Math.max(2, Math.floor(written.length / 3)) + 1
  for (const name of known) {
    const [a, b] = [written.toLowerCase(), name.toLowerCase()]
    // somebody who wrote `tenant` where there is a `tenant_id` left something out
    const d = a.length > 2 && b.startsWith(a) ? 1 : leven(a, b)
    if (d < distance) {
      best = name
      distance = d
    }
  }
  return best
}

/** "did you mean x?" for the closest known name, or undefined when none is close. */
export function didYouMean(written: string, known: Iterable<string>): string | undefined {
  const best = closest(written, known)
  return best === undefined ? undefined : `did you mean \`${best}\`?`
}

/** The closest known name or, when none is close, the list of what there is. */
export function suggest(written: string, known: readonly string[], what: string): string {
  if (known.length === 0) return 'nothing is declared'
  return didYouMean(written, known) ?? `${what}: ${known.join(', ')}`
}
