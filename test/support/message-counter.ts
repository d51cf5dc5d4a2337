import { connect, createServer, type Socket } from 'node:net'

/** What went over the wire to a database since the last reset, message by message. */
export interface MessageCounter {
  /** The database's URL, through the counter. */
  readonly url: string
  /** The types of the messages of clients in their order, a letter each (manual, 55.7). */
  readonly sent: string
  /** How often the server said that it is ready for the next query: the number of round trips. */
  readonly ready: number
  reset(): void
}

/** Calls back with each message of a stream in which `first` bytes of the start have no type. */
function messagesOf(socket: Socket, hasStartup: boolean, onMessage: (type: string) => void): void {
  let rest = Buffer.alloc(0)
  let isStartup = hasStartup
  socket.on('data', chunk => {
    rest = Buffer.concat([rest, chunk])
    for (;;) {
      const head = isStartup ? 0 : 1
      if (rest.length < head + 4) return
      const length = head + rest.readInt32BE(head)
      if (rest.length < length) return
      if (!isStartup) onMessage(rest.toString('latin1', 0, 1))
      isStartup = false
      rest = rest.subarray(length)
    }
  })
}

/** A proxy before a database without TLS that counts the messages which pass. */
export async function countMessages(
  t: { teardown(after: () => void): void },
  database: string
): Promise<MessageCounter> {
  const target = new URL(database)
  const sockets = new Set<Socket>()
  let [sent, ready] = ['', 0]
  const server = createServer(client => {
    const backend = connect(Number(target.port), target.hostname)
    for (const socket of [client, backend]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => {})
      socket.on('close', () => {
        client.destroy()
        backend.destroy()
      })
    }
    messagesOf(client, true, type => {
      sent += type
    })
    messagesOf(backend, false, type => {
      if (type === 'Z') ready++
    })
    client.pipe(backend).pipe(client)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('no port')
  const url = Object.assign(new URL(database), { port: String(address.port) }).toString()
  return {
    url,
    get sent() {
      return sent
    },
    get ready() {
      return ready
    },
    reset() {
      sent = ''
      ready = 0
    }
  }
}
