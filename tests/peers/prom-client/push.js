// Pushes a counter and a histogram with prom-client.
// push.js --lines [OPTION]... METHOD URL JOB [NAME VALUE]... does so for each line of standard input, over one connection
// if the gateway lets it, and what became of it is a line of standard output. METHOD is PUT, POST or DELETE.
// push.js alone takes such arguments, but for --lines, from each line of standard input, as a JSON array. Each push has a
// connection of its own, and what it failed for, or null, is a line of JSON on standard output.
'use strict';

const fs = require('fs');
const http = require('http');
const https = require('https');
const readline = require('readline');
const { parseArgs } = require('util');
const client = require('prom-client');

// What pushes, and the agent that holds its connections.
function pusher(args) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      gzip: { type: 'boolean' },
      user: { type: 'string' },
      cacert: { type: 'string' },
      cert: { type: 'string' },
      key: { type: 'string' },
      lines: { type: 'boolean' },
    },
  });
  const [method, url, jobName, ...labels] = positionals;
  const registers = [new client.Registry()];
  new client.Counter({ name: 'done_total', help: 'What was done.', registers }).inc(3);
  new client.Histogram({ name: 'took_seconds', help: 'How long.', buckets: [1, 5], registers }).observe(2);
  const groupings = {};
  for (let at = 0; at < labels.length; at += 2) groupings[labels[at]] = labels[at + 1];

  const options = {};
  if (values.gzip) options.headers = { 'Content-Encoding': 'gzip' };
  if (values.user) options.auth = values.user;
  for (const [option, file] of [['ca', values.cacert], ['cert', values.cert], ['key', values.key]]) {
    if (file) options[option] = fs.readFileSync(file);
  }
  const { Agent, globalAgent } = url.startsWith('https:') ? https : http;
  const agent = new Agent(values.lines ? { keepAlive: true } : { ...globalAgent.options });
  const gateway = new client.Pushgateway(url, { ...options, agent }, ...registers);
  const push = () => gateway[{ PUT: 'push', POST: 'pushAdd', DELETE: 'delete' }[method]]({ jobName, groupings });
  return { push, agent };
}

async function once(args) {
  const { push, agent } = pusher(args);
  await push().finally(() => agent.destroy());
}

async function main(args) {
  const input = readline.createInterface({ input: process.stdin });
  if (!args.length) {
    for await (const line of input) {
      console.log(JSON.stringify(await once(JSON.parse(line)).then(() => null, (error) => error.message)));
    }
    return;
  }
  const { push, agent } = pusher(args);
  for await (const _ of input) {
    console.log(await push().then(() => 'done', (error) => error.message.trim().replaceAll('\n', ' ')));
  }
  agent.destroy();
}

main(process.argv.slice(2));
