import { lambda } from './handler.mjs';

export default {
  async fetch(request) {
    return Response.json(await lambda(await request.json()));
  },
};
