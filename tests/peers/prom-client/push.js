// Pushes a counter and a histogram with prom-client: push.js METHOD URL JOB FORMAT [NAME VALUE]...
// METHOD is push, pushAdd or delete; FORMAT is text or gzip.
'use strict';

const client = require('prom-client');

const [method, url, jobName, format, ...labels] = process.argv.slice(2);
new client.Counter({ name: 'done_total', help: 'What was done.' }).inc(3);
new client.Histogram({ name: 'took_seconds', help: 'How long.', buckets: [1, 5] }).observe(2);
const groupings = {};
for (let at = 0; at < labels.length; at += 2) groupings[labels[at]] = labels[at + 1];
const options = format === 'gzip' ? { headers: { 'Content-Encoding': 'gzip' } } : {};
new client.Pushgateway(url, options)[method]({ jobName, groupings }).catch((error) => {
  console.error(`push.js: ${error.message}`);
  process.exitCode = 1;
});
