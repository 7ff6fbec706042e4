// The floor of what Node can do with this handler: node:http and nothing else.
// Usage: HANDLER=/path/handler.mjs node node-http.mjs PORT
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';

const { lambda } = await import(pathToFileURL(process.env.HANDLER).href);

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', async () => {
    try {
      const input = JSON.parse(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks));
      const body = Buffer.from(JSON.stringify(await lambda(input)));
      response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': body.length });
      response.end(body);
    } catch (error) {
      response.writeHead(500, { 'Content-Type': 'text/plain' });
      response.end(String(error));
    }
  });
});
server.listen(Number(process.argv[2]), '127.0.0.1');
