/* Fastify that answers one route and nothing else, as it is installed: what a start and an idle process cost at least. */
import { fastify } from 'fastify'

const app = fastify({ logger: { level: 'warn' } })
app.get('/', async () => ({ status: 'ready' }))
await app.listen({ port: Number(process.argv[2]), host: '127.0.0.1' })
