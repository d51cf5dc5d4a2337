import { suggest } from '../errors/suggest.js'
import { type JsonValue, jsonValue } from '../ir/json.js'
import type { Bundle, Resource } from '../ir/model.js'
import type { Type } from '../ir/types.js'
import { canonical } from '../ir/values.js'
import type { Path } from '../policy/source.js'
import { mistake, type Names, type Reading } from './names.js'

/** What is needed to read a test file: the policy it is about, and what its names stand for. */
export interface Reader extends Reading {
  readonly bundle: Bundle
  readonly names: Names
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** A value of a declared type, with ids in place of names; undefined once its mistake is reported. */
export function readValue(reader: Reader, type: Type, input: unknown, path: Path): JsonValue | undefined {
  const { value: resolved, ok } = withIds(reader, type, input, path)
  if (!ok) return undefined
  const value = canonical(type, resolved)
  if (value.ok) return jsonValue(type, value.value)
  mistake(reader, 'TWR_TEST_VALUE', path, value.problem)
  return undefined
}

/** Where a uuid is expected, a text that is none is a name. */
function withIds(reader: Reader, type: Type, input: unknown, path: Path): { value: unknown; ok: boolean } {
  if (type.kind === 'set' && Array.isArray(input)) {
    const items = input.map((item, i) => withIds(reader, type.of, item, [...path, i]))
    return { value: items.map(({ value }) => value), ok: items.every(({ ok }) => ok) }
  }
  if (type.kind !== 'uuid' || typeof input !== 'string' || UUID.test(input)) return { value: input, ok: true }
  const id = reader.names.idOf(input)
  if (id !== undefined) return { value: id, ok: true }
  const hint = suggest(input, reader.names.all(), 'names')
  mistake(reader, 'TWR_TEST_NAME', path, `\`${input}\` is neither a uuid nor a name of this file`, hint)
  return { value: null, ok: false }
}

/** The resource of a name, or undefined once its mistake is reported at the key. */
export function readType(reader: Reader, name: string, path: Path): Resource | undefined {
  const found = reader.bundle.resources.find(resource => resource.name === name)
  if (found !== undefined) return found
  const known = reader.bundle.resources.map(resource => resource.name)
  const hint = suggest(name, known, 'resource types')
  mistake(reader, 'TWR_TEST_NAME', path, `the policy has no resource type \`${name}\``, hint)
  return undefined
}

/** A value of the file as a mapping; the schema has seen that it is one. */
export function entriesOf(value: unknown): readonly (readonly [string, unknown])[] {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : []
}

/** A value that may stand alone or in a list, with its places. */
export function listOf(
  value: unknown,
  path: Path
): readonly { readonly value: unknown; readonly path: Path }[] {
  if (value === undefined) return []
  if (!Array.isArray(value)) return [{ value, path }]
  return value.map((item: unknown, i) => ({ value: item, path: [...path, i] }))
}
