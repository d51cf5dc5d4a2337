/** A tenant of the file, with the values that requests need of it. */
export interface Tenant {
  readonly name: string
  readonly values: Readonly<Record<string, string>>
}

/** A query over the pool of `--database`, with what the application says before it. */
export interface SqlRequest {
  readonly kind: 'sql'
  readonly name: string
  readonly sql: string
  readonly context: readonly string[]
  readonly transaction: boolean
  readonly key: readonly string[] | null
}

/** A request over HTTP that answers with JSON. */
export interface HttpRequest {
  readonly kind: 'http'
  readonly name: string
  readonly url: string
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: unknown
  /** A JSON pointer (RFC 6901). */
  readonly rows: string
  readonly key: readonly string[] | null
}

/** A function of the application. */
export interface ModuleRequest {
  readonly kind: 'module'
  readonly name: string
  /** Where the module is. */
  readonly path: string
  readonly call: string
  readonly key: readonly string[] | null
}

export type Request = SqlRequest | HttpRequest | ModuleRequest

/** What is checked: the content of a leakcheck file. */
export interface LeakFile {
  readonly tenants: readonly Tenant[]
  readonly requests: readonly Request[]
}

/** A row as it came: a record, or whatever a list of JSON holds. */
export type Row = unknown

/** What is done to a request in its middle. */
export const DISTURBANCES = ['cancel', 'fail', 'abandon'] as const
export type Disturbance = (typeof DISTURBANCES)[number]

/** How one request is sent. `tenant` is null for nobody: the request without what says for whom it is. */
export interface Asking {
  readonly tenant: Tenant | null
  readonly disturbance: Disturbance | null
  /** Milliseconds after which it is disturbed. */
  readonly afterMs: number
}

/** Somebody who answers a request. */
export interface Target {
  readonly request: Request
  /** Whether it can be asked without a tenant. */
  readonly takesNobody: boolean
  /** Which disturbances it knows. */
  readonly disturbances: readonly Disturbance[]
  /** The rows of an answer. Throws what the other side says, and when the request was disturbed. */
  ask(asking: Asking): Promise<readonly Row[]>
}
