#!/usr/bin/env node
import { colorsFor, type Io } from './io.js'
import { run } from './run.js'

const io: Io = {
  out: text => void process.stdout.write(text),
  err: text => void process.stderr.write(text),
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
