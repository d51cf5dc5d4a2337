/**
 * The servers that the service is compared with, each in a process of its own:
 *
 *     peers.ts node|fastify|query PORT [DATABASE_URL]
 */
import { createServer } from 'node:http'
import { fastify } from 'fastify'
import pg from 'pg'
import { BATCH_SCHEMA, QUESTION_SCHEMA } from '../../test/support/question-schema.js'
import { BATCH_REPLY, DECISION } from './reply-schemas.js'

const ANSWER = {
  decision: true,
  context: {
    reason: 'the rule owner of agent allows read',
    code: 'allowed' as const,
    rule: 'owner',
    revision: '0'.repeat(64)
  }
}

interface Body {
  readonly resource?: { readonly id: string }
  readonly evaluations?: readonly unknown[]
}

/** A yes for each question. */
function answerTo({ evaluations }: Body): unknown {
  return evaluations === undefined ? ANSWER : { evaluations: evaluations.map(() => ANSWER) }
}

/** Reads and writes JSON, and nothing else. */
function nodeEcho(port: number): void {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const reply = JSON.stringify(answerTo(JSON.parse(Buffer.concat(chunks).toString() || '{}') as Body))
      response.writeHead(200, {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(reply)
      })
      response.end(reply)
    })
  })
  server.listen(port, '127.0.0.1')
}

/** Fastify as it comes, with the schemas of the service for bodies and answers; no logs, no keys, no hooks. */
async function fastifyEcho(port: number): Promise<void> {
  const app = fastify()
  const single = { schema: { body: QUESTION_SCHEMA, response: { 200: DECISION } } }
  app.post<{ Body: Body }>('/access/v1/evaluation', single, async ({ body }) => answerTo(body))
  const many = { schema: { body: BATCH_SCHEMA, response: { 200: BATCH_REPLY } } }
  app.post<{ Body: Body }>('/authorize', many, async ({ body }) => answerTo(body))
  await app.listen({ port, host: '127.0.0.1' })
}

/** The same, which reads the row by its primary key with a prepared statement. */
async function fastifyQuery(port: number, url: string): Promise<void> {
  const pool = new pg.Pool({ connectionString: url, max: 10 })
  const app = fastify()
  const single = { schema: { body: QUESTION_SCHEMA, response: { 200: DECISION } } }
  app.post<{ Body: Body }>('/access/v1/evaluation', single, async ({ body }) => {
    const statement = { name: 'row', text: 'SELECT * FROM agents WHERE id = $1', values: [body.resource?.id] }
    const { rows } = await pool.query(statement)
    return { ...ANSWER, decision: rows.length === 1 }
  })
  await app.listen({ port, host: '127.0.0.1' })
}

const [kind, port, url = ''] = process.argv.slice(2)
if (kind === 'node') nodeEcho(Number(port))
else if (kind === 'fastify') await fastifyEcho(Number(port))
else await fastifyQuery(Number(port), url)
