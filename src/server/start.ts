import closeWithGrace from 'close-with-grace'
import type { FastifyInstance } from 'fastify'
import { ConfigError } from '../errors/errors.js'
import { type AppOptions, buildApp } from './app.js'
import type { ServerConfig } from './config.js'
import { describeFault } from './error-reply.js'

/** Everything of the app, and the address to listen on. */
export type ServerOptions = AppOptions & { readonly config: Pick<ServerConfig, 'host' | 'port'> }

/** A service that listens. */
export interface RunningServer {
  /** `http://host:port`, with the port that was taken when 0 was asked for. */
  readonly address: string
  /** Drains and stops, like a signal does, but leaves the process running. */
  readonly close: () => Promise<void>
}

/** Longer than every step of draining together, and below the 10 s after which supervisors kill. */
const SHUTDOWN_MS = 9500

/**
 * Starts the service. SIGTERM and SIGINT drain it and end the process with exit code 0; an error that nobody caught
 * drains it too, and ends the process with 1.
 *
 * @throws ConfigError when there is no API key or HOST and PORT cannot be listened on; `facts` is closed then
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { host, port } = options.config
  const app = buildApp(options)
  const address = await listen(app, host, port)
  const grace = closeWithGrace({ delay: SHUTDOWN_MS, logger: false }, async ({ signal, err }) => {
    if (err !== undefined) app.log.fatal({ fault: describeFault(err) }, 'an error that nobody caught')
    app.log.info({ signal }, 'shutting down')
    await app.close()
    app.log.info('stopped')
  })
  return {
    address,
    async close() {
      grace.uninstall()
      await app.close()
    }
  }
}

async function listen(app: FastifyInstance, host: string, port: number): Promise<string> {
  try {
    return await app.listen({ host, port })
  } catch (error) {
    await app.close()
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (!['EADDRINUSE', 'EADDRNOTAVAIL', 'EACCES', 'ENOTFOUND'].includes(code)) throw error
    throw new ConfigError('TWR_CONFIG', `cannot listen on HOST ${host} and PORT ${port} (${code})`, {
      hint:
        code === 'EADDRINUSE'
          ? 'another process has the port: stop it or choose another PORT'
          : 'change HOST or PORT',
      cause: error
    })
  }
}
