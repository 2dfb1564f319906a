import type { Limiter } from '../dataplane/limiter.ts';
import type { OpenBody, Origin, OriginSink } from '../origins/origin.ts';

/** An origin whose bytes count against the host's download limit. */
export function limitedOrigin(origin: Origin, limiter: Limiter): Origin {
  const limited =
    (sink: OriginSink): OriginSink =>
    async (chunk) => {
      for (let at = 0; at < chunk.length; at += limiter.quantumBytes) {
        const part = chunk.subarray(at, at + limiter.quantumBytes);
        await limiter.take(part.length);
        await sink(part);
      }
    };
  const limitedBody = (body: OpenBody): OpenBody => ({
    start: body.start,
    end: body.end,
    pump: (sink, signal) => body.pump(limited(sink), signal),
    discard: () => body.discard(),
  });
  return {
    async probe(request, signal) {
      const answer = await origin.probe(request, signal);
      return answer.kind === 'content' ? { ...answer, body: limitedBody(answer.body) } : answer;
    },
    read: (request, sink, signal) => origin.read(request, limited(sink), signal),
    allows: (url) => origin.allows(url),
    close: () => origin.close(),
  };
}
