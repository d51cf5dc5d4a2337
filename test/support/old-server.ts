import { connect, createServer } from 'node:net'

/**
 * A server of another version, as far as the answer to `server_version_num` goes: a proxy that writes one number for the
 * other, both of six digits, so that no length in the protocol changes.
 *
 * @returns the URL of the proxy for the database of `url`, and how to end it
 */
export async function pretendVersion(
  url: string,
  actual: number,
  pretended: number
): Promise<{ url: string; close(): void }> {
  const [from, to] = [new URL(url), new URL(url)]
  const sockets = new Set<{ destroy(): void }>()
  const server = createServer(client => {
    const upstream = connect(Number(from.port), from.hostname)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => [client, upstream].map(one => one.destroy()))
    }
    client.pipe(upstream)
    upstream.on('data', (data: Buffer) => {
      const text = data.toString('latin1').replaceAll(String(actual), String(pretended))
      client.write(Buffer.from(text, 'latin1'))
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('no port')
  to.hostname = '127.0.0.1'
  to.port = String(address.port)
  const close = () => {
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  return { url: to.toString(), close }
}
