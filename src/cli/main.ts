#!/usr/bin/env node
import { text } from 'node:stream/consumers'
import { colorsFor, type Io } from './io.js'
import { run } from './run.js'

const io: Io = {
  out: words => void process.stdout.write(words),
  err: words => void process.stderr.write(words),
  clear: () => {
    if (process.stdout.isTTY) process.stdout.write('\x1b[2J\x1b[3J\x1b[H')
  },
  input: () => text(process.stdin),
  env: process.env,
  outColors: colorsFor(process.stdout.isTTY, process.env),
  errColors: colorsFor(process.stderr.isTTY, process.env)
}

for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // a reader that has seen enough, such as `head`, is no fault
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
}

// not process.exit: what was written to a pipe must reach it first
process.exitCode = await run(process.argv.slice(2), io)
