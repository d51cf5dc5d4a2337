/*
 * To find out whether it runs in a worker of Cloudflare, pg asks `navigator`, which Node 21 and newer have, and else
 * makes a Response, with which Node loads the whole of fetch: a tenth of a start, and some MiB that nobody uses.
 */
if (!('navigator' in globalThis)) {
  const userAgent = `Node.js/${process.versions.node.split('.')[0]}`
  Object.defineProperty(globalThis, 'navigator', { value: { userAgent }, configurable: true, writable: true })
}
