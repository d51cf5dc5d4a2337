/** What there is to say about a service that has started. */
export interface Banner {
  readonly address: string
  readonly revision: string
  /** Where facts come from. */
  readonly database: keyof typeof DATABASES
  /** Whether the demo data is wanted, and so requests to try. */
  readonly demo: boolean
  /** The resource types of the policy. */
  readonly types: readonly string[]
  /** A key to show; undefined where it must not be shown. */
  readonly key: string | undefined
}

const DATABASES = {
  embedded: 'embedded, for a first look',
  server: 'of DATABASE_URL',
  none: 'none: callers bring all facts'
} as const

/** The resource type of the requests to try. */
const EXAMPLE_TYPE = 'agent'
const GUS = '00000000-0000-0000-0001-00000000000b'
const SHARED_AGENT = '00000000-0000-0000-0002-000000000002'

/** How to reach a service, for a person who has just started it. */
export function bannerText({ address, revision, database, demo, types, key }: Banner): string {
  const url = reachable(address)
  const lines = [
    '',
    `  twinrule listens on ${url}`,
    `  policies   revision ${revision.slice(0, 12)}`,
    `  database   ${DATABASES[database]}`,
    ...(key === undefined ? [] : [`  API key    ${key}`]),
    ...(demo && key !== undefined ? requests(url, key, types) : [])
  ]
  return `${lines.join('\n')}\n\n`
}

function requests(url: string, key: string, types: readonly string[]): readonly string[] {
  if (!types.includes(EXAMPLE_TYPE)) {
    return ['', `  # POST ${url}/authorize answers questions about ${types.join(', ') || 'no resource type'}`]
  }
  const ask = (action: string) => {
    const question = {
      subject: { type: 'user', id: GUS },
      action: { name: action },
      resource: { type: EXAMPLE_TYPE, id: SHARED_AGENT }
    }
    const headers = [`authorization: Bearer ${key}`, 'content-type: application/json']
    const flags = headers.map(header => `-H ${quoted(header)}`).join(' ')
    return `curl -s -w '\\n' ${quoted(`${url}/authorize`)} ${flags} -d ${quoted(JSON.stringify(question))}`
  }
  return [
    '',
    "  # allowed by the example policy: gus of globex reads acme's agent, which is shared with globex",
    `  ${ask('read')}`,
    '',
    '  # denied by it: to change that agent is not shared',
    `  ${ask('update')}`
  ]
}

/** An address to connect to: "every address" is one to listen on only. */
function reachable(address: string): string {
  return address.replace('://0.0.0.0:', '://127.0.0.1:').replace('://[::]:', '://[::1]:')
}

/** One word for a POSIX shell, whatever is in it. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
