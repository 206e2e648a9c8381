import { runDaemon, stopSignal } from './daemon/index.ts';

const code = await runDaemon({
  args: process.argv.slice(2),
  env: process.env,
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
  stop: stopSignal(process),
});
// What still keeps the loop alive (idle worker threads, sockets of clients) must not keep the process.
process.exit(code);
