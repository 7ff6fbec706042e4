// functions-framework with the same handler. getTestServer builds the server
// that the framework's command line builds, and lets it listen on loopback only.
// Usage: HANDLER=/path/handler.mjs node framework.mjs PORT
import { pathToFileURL } from 'node:url';
import { http } from '@google-cloud/functions-framework';
import { getTestServer } from '@google-cloud/functions-framework/testing';

const { lambda } = await import(pathToFileURL(process.env.HANDLER).href);

http('lambda', async (request, response) => {
  response.json(await lambda(request.body));
});
getTestServer('lambda').listen(Number(process.argv[2]), '127.0.0.1');
