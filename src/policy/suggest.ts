import leven from 'leven'

/** "did you mean x?" for the known name closest to what was written, or undefined when none is close. */
export function didYouMean(written: string, known: Iterable<string>): string | undefined {
  let best: string | undefined
  let distance = Math.max(2, Math.floor(written.length / 3)) + 1
  for (const name of known) {
    const d = leven(written.toLowerCase(), name.toLowerCase())
    if (d < distance) {
      best = name
      distance = d
    }
  }
  return best === undefined ? undefined : `did you mean \`${best}\`?`
}

/** The closest known name or, when none is close, the list of what there is. */
export function suggest(written: string, known: readonly string[], what: string): string {
  return (
    didYouMean(written, known) ??
    (known.length === 0 ? `no ${what} is declared` : `${what}: ${known.join(', ')}`)
  )
}
