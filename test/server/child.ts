// A service in a process of its own, for the tests of signals: each read of the facts takes 700 ms.
import { startServer } from '../../src/server/start.js'
import { engine, fakeFacts, settings } from './service.js'

const healthy = fakeFacts()
const facts = fakeFacts({
  read: async query => {
    process.stdout.write('reading\n')
    await new Promise(resolve => void setTimeout(resolve, 700))
    return healthy.read(query)
  },
  close: async () => {
    process.stdout.write('facts closed\n')
  }
})
const config = { ...settings(), host: '127.0.0.1', port: 0, factsTimeoutMs: 5000 }
const { address } = await startServer({ engine, facts, config })
process.stdout.write(`${address}\n`)
if (process.argv[2] === 'crash')
  setTimeout(() => {
    throw new Error('nobody caught this')
  }, 50)
