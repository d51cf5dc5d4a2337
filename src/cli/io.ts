import pc from 'picocolors'

/** Where a command reads its surroundings and writes its words. Results go to `out`, everything about them to `err`. */
export interface Io {
  /** Writes text to standard output as it is. */
  out(text: string): void
  /** Writes text to standard error as it is. */
  err(text: string): void
  /** Wipes the screen, where there is one. */
  clear(): void
  /** All of standard input. */
  input(): Promise<string>
  readonly env: Readonly<Record<string, string | undefined>>
  readonly outColors: Colors
  readonly errColors: Colors
}

/** Functions that colour text, or leave it alone. */
export type Colors = ReturnType<typeof pc.createColors>

/** Colours for a stream: only on a terminal, and not where NO_COLOR is set (no-color.org). */
export function colorsFor(isTerminal: boolean | undefined, env: Io['env']): Colors {
  const refused = (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb'
  return pc.createColors(isTerminal === true && !refused)
}

/** An environment variable that is set and not empty: `VAR=` is how many deployment tools say "none". */
export function variable({ env }: Pick<Io, 'env'>, name: string): string | undefined {
  return env[name] === '' ? undefined : env[name]
}
