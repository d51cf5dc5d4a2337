import type { Tenant } from './request.js'

/** `{name}` stands for a value of the tenant. */
const PLACEHOLDER = /\{([a-z][a-z0-9_]*)\}/g

/** The names of the values that a text needs. */
export function namesIn(text: string): readonly string[] {
  return [...text.matchAll(PLACEHOLDER)].map(([, name = '']) => name)
}

/** A text with the values of a tenant, each written by `write`. */
export function filled(text: string, { values }: Tenant, write: (value: string) => string = String): string {
  return text.replaceAll(PLACEHOLDER, (_, name: string) => write(values[name] ?? ''))
}

/** A statement whose placeholders are parameters: values are never part of its text. */
export function parameterized(
  text: string,
  tenant: Tenant
): { readonly text: string; readonly values: string[] } {
  const values: string[] = []
  const write = (value: string) => `$${values.push(value)}`
  return { text: filled(text, tenant, write), values }
}

/** Every text in something of JSON, with the values of a tenant. */
export function filledDeep(value: unknown, tenant: Tenant): unknown {
  if (typeof value === 'string') return filled(value, tenant)
  if (Array.isArray(value)) return value.map(item => filledDeep(item, tenant))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, filledDeep(item, tenant)]))
}
