const WHITE = /\s/
const ESCAPE_LENGTHS: Readonly<Record<string, number>> = { x: 4, u: 6, U: 10 }

/**
 * Where each character of a YAML scalar's value stands in the file, through quotes, escapes, folding and indentation:
 * YAML changes nothing but white space and escapes, so the two texts are walked side by side.
 *
 * @param start offset of the scalar in the file, quotes and block header included
 * @returns value offset -> file offset; an offset past the end gives the last place
 */
export function offsetsOf(
  file: string,
  start: number,
  end: number,
  value: string
): (offset: number) => number {
  const places: number[] = []
  const quote = file[start]
  let at = start
  if (quote === '"' || quote === "'") at += 1
  if (quote === '|' || quote === '>') at = file.indexOf('\n', start) + 1
  for (const char of value.split('')) {
    if (!WHITE.test(char)) at = skipWhite(file, at, end)
    places.push(Math.min(at, Math.max(start, end - 1)))
    at = WHITE.test(char) ? stepOverWhite(file, at) : at + lengthAt(file, at, quote)
  }
  return offset => places[offset] ?? (places.at(-1) ?? start) + (offset >= places.length ? 1 : 0)
}

function skipWhite(file: string, from: number, end: number): number {
  let at = from
  while (at < end && WHITE.test(file[at] ?? '')) at += 1
  return at
}

/** One white character of the value is one of the file, unless a line was folded. */
function stepOverWhite(file: string, at: number): number {
  return WHITE.test(file[at] ?? '') ? at + 1 : at
}

function lengthAt(file: string, at: number, quote: string | undefined): number {
  if (quote === "'" && file[at] === "'") return 2
  if (quote === '"' && file[at] === '\\') return ESCAPE_LENGTHS[file[at + 1] ?? ''] ?? 2
  return 1
}
