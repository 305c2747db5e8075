// Pushes a counter and a histogram with prom-client: push.js [OPTION]... METHOD URL JOB [NAME VALUE]...
// METHOD is PUT, POST or DELETE. With --lines, it is done once for each line of standard input, over one connection if
// the gateway lets it, and what became of it is a line of standard output.
'use strict';

const fs = require('fs');
const http = require('http');
const https = require('https');
const readline = require('readline');
const { parseArgs } = require('util');
const client = require('prom-client');

const { values, positionals } = parseArgs({
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
new client.Counter({ name: 'done_total', help: 'What was done.' }).inc(3);
new client.Histogram({ name: 'took_seconds', help: 'How long.', buckets: [1, 5] }).observe(2);
const groupings = {};
for (let at = 0; at < labels.length; at += 2) groupings[labels[at]] = labels[at + 1];

const options = {};
if (values.gzip) options.headers = { 'Content-Encoding': 'gzip' };
if (values.user) options.auth = values.user;
for (const [option, file] of [['ca', values.cacert], ['cert', values.cert], ['key', values.key]]) {
  if (file) options[option] = fs.readFileSync(file);
}
const { Agent } = url.startsWith('https:') ? https : http;
if (values.lines) options.agent = new Agent({ keepAlive: true });
const gateway = new client.Pushgateway(url, options);
const push = () => gateway[{ PUT: 'push', POST: 'pushAdd', DELETE: 'delete' }[method]]({ jobName, groupings });

async function each(lines) {
  for await (const _ of lines) {
    console.log(await push().then(() => 'done', (error) => error.message.trim().replaceAll('\n', ' ')));
  }
  options.agent.destroy();
}

(values.lines ? each(readline.createInterface({ input: process.stdin })) : push()).catch((error) => {
  console.error(`push.js: ${error.message}`);
  process.exitCode = 1;
});
