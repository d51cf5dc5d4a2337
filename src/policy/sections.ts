import { PolicyError } from '../errors/errors.js'
import { closest } from '../errors/suggest.js'
import { BUILT_IN } from './declarations.js'
import type { Path, Source } from './source.js'
import { reservedProblems } from './validate.js'

/** A named declaration and where it stands. */
export interface Declared {
  readonly name: string
  readonly value: unknown
  readonly source: Source
  readonly path: Path
}

/** The sections of a policy file that hold declarations by name. */
export type SectionName = 'enums' | 'actions' | 'principal' | 'macros' | 'traits' | 'resources'

const SECTIONS: ReadonlySet<string> = new Set<SectionName>([
  'enums',
  'actions',
  'principal',
  'macros',
  'traits',
  'resources'
])

/** All declarations of one section over all files, sorted by name; the second of a name is reported and left out. */
export function section(
  sources: readonly Source[],
  name: SectionName,
  problems: PolicyError[]
): ReadonlyMap<string, Declared> {
  const found = new Map<string, Declared>()
  for (const source of sources) {
    const written = writtenKey(source, name)
    const value = mapping(mapping(source.value)[written])
    problems.push(...reservedProblems(source, [written], Object.keys(value)))
    for (const [key, one] of Object.entries(value)) {
      const path = [written, key]
      // safety: every column of that type would silently change its meaning
      if (name === 'enums' && Object.hasOwn(BUILT_IN, key)) problems.push(builtIn(key, source, path))
      const earlier = found.get(key)
      if (earlier === undefined) {
        found.set(key, { name: key, value: one, source, path })
        continue
      }
      const { file, line } = earlier.source.keySpanOf(earlier.path)
      problems.push(
        new PolicyError(
          'TWR_POLICY_DUPLICATE',
          `\`${key}\` is declared twice in ${name}`,
          source.keySpanOf(path),
          `the other stands in ${file}:${line}`
        )
      )
    }
  }
  return new Map([...found.entries()].sort(([a], [b]) => (a < b ? -1 : 1)))
}

function builtIn(name: string, source: Source, path: Path): PolicyError {
  const message = `\`${name}\` is a built-in type`
  return new PolicyError('TWR_POLICY_RESERVED', message, source.keySpanOf(path), 'choose another name')
}

/** The key under which a section stands: a misspelt one is reported elsewhere, and what it holds is still checked. */
export function writtenKey(source: Source, name: SectionName): string {
  const keys = Object.keys(mapping(source.value))
  if (keys.includes(name)) return name
  return keys.find(key => closest(key, SECTIONS) === name && !SECTIONS.has(key)) ?? name
}

/** The value as a mapping; anything else counts as empty, because its shape is reported elsewhere. */
export function mapping(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {}
}

/** The texts of a list; anything else counts as empty, because its shape is reported elsewhere. */
export function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter(one => typeof one === 'string') : []
}
