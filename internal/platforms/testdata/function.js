// The function of TestNodeFunctions: uses as many ms of CPU time as it is asked
// for, and answers with what getrusage says that it used, in ns.
const functions = require('@google-cloud/functions-framework');

// work is what a call does, without garbage for other threads to collect.
function work() {
  let x = 1;
  for (let i = 0; i < 100000; i++) {
    x = (x * 16807) % 2147483647;
  }
  return x;
}

functions.http('burn', (request, response) => {
  const before = process.cpuUsage();
  const asked = Number(request.query.ms) * 1000;
  let used;
  do {
    work();
    const {user, system} = process.cpuUsage(before);
    used = user + system;
  } while (used < asked);
  response.send(String(used * 1000));
});
