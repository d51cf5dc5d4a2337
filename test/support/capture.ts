import { colorsFor, type Io } from '../../src/cli/io.js'

/** A command's surroundings without a terminal, and what was written to it. */
export interface Captured {
  readonly io: Io
  out(): string
  err(): string
}

/** Surroundings for `run` that keep what it writes. */
export function capture(env: Record<string, string> = {}, input = ''): Captured {
  let [out, err] = ['', '']
  const plain = colorsFor(false, env)
  const io: Io = {
    out: text => {
      out += text
    },
    err: text => {
      err += text
    },
    clear: () => {
      out += '<clear>'
    },
    input: () => Promise.resolve(input),
    env,
    outColors: plain,
    errColors: plain
  }
  return { io, out: () => out, err: () => err }
}
