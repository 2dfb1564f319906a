import { connect } from '@nats-io/transport-node';
import { z } from 'zod';

const answerSchema = z.looseObject({
  config: z.looseObject({ num_replicas: z.number().optional() }).optional(),
  cluster: z.looseObject({ leader: z.string().optional() }).optional(),
  error: z.looseObject({ description: z.string() }).optional(),
});

/** What JetStream's API answers, as far as tests look at it. */
export type JetStreamAnswer = z.infer<typeof answerSchema>;

/** Asks the API of JetStream, at any of the servers: `STREAM.INFO.name`. */
export async function askJetStream(servers: string, verb: string): Promise<JetStreamAnswer> {
  const connection = await connect({ servers: servers.split(',') });
  try {
    const answer = await connection.request(`$JS.API.${verb}`, '', { timeout: 2_000 });
    return answerSchema.parse(answer.json());
  } finally {
    await connection.close();
  }
}
