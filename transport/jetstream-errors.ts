import { JetStreamApiCodes, JetStreamApiError } from '@nats-io/jetstream';
import {
  InvalidArgumentError,
  NoRespondersError,
  PermissionViolationError,
  TimeoutError,
} from '@nats-io/transport-node';
import { ShoalError } from '../core/errors.ts';
import { unavailable } from './unavailable.ts';

/** JetStream is off in the whole server; the client has no name for it. */
const NOT_ENABLED = 10076;

/** The name of a stream, or its subjects, are another's; the client has no names for them. */
const TAKEN: readonly number[] = [10058, 10065];

const WRONG_SEQUENCE: readonly number[] = [
  JetStreamApiCodes.StreamWrongLastSequence,
  JetStreamApiCodes.StreamWrongLastSequenceUnknown,
];
const GONE: readonly number[] = [
  JetStreamApiCodes.StreamNotFound,
  JetStreamApiCodes.JetStreamNotEnabledForAccount,
  NOT_ENABLED,
];

/** The JetStream API's own code of an error, where it has one. */
export function apiCode(error: unknown): number | undefined {
  return caused(error, JetStreamApiError)?.code;
}

/** Whether a compare-and-set found another revision than the expected one. */
export function isWrongSequence(error: unknown): boolean {
  return WRONG_SEQUENCE.includes(apiCode(error) ?? 0);
}

/** Whether the stream, or JetStream itself, is not there: nobody answers, or the API says so. */
export function isGone(error: unknown): boolean {
  return caused(error, NoRespondersError) !== undefined || GONE.includes(apiCode(error) ?? 0);
}

/** Whether a stream cannot be made because one like it is there: as a rule the same, that another client is making. */
export function isMadeByAnother(error: unknown): boolean {
  return TAKEN.includes(apiCode(error) ?? 0);
}

/** Whether a queue refuses a message because one of its subject is in it. */
export function isQueued(error: unknown): boolean {
  return caused(error, JetStreamApiError)?.message.includes('messages per subject') === true;
}

/** Whether the server has no room, or no leader, for what is to be kept: another error of its API than those above. */
export function isRefused(error: unknown): boolean {
  return apiCode(error) !== undefined && !isWrongSequence(error) && !isGone(error);
}

/** Whether an answer did not come in time. */
export function isLate(error: unknown): boolean {
  return caused(error, TimeoutError) !== undefined;
}

/** An error of the NATS packages as one of Shoal's. */
export function translated(error: unknown): ShoalError {
  if (error instanceof ShoalError) return error;
  const denied = caused(error, PermissionViolationError);
  if (denied !== undefined) {
    const { operation, subject } = denied;
    return new ShoalError('ERR_BUS_DENIED', `NATS forbids the ${operation} on ${subject}`, { cause: error });
  }
  if (isLate(error)) {
    return new ShoalError('ERR_BUS_TIMEOUT', 'JetStream did not answer in time', { cause: error });
  }
  const code = apiCode(error);
  if (isGone(error) && code !== JetStreamApiCodes.StreamNotFound) {
    const why =
      code === undefined
        ? 'JetStream does not answer: it is not enabled on the NATS server, or has no leader now'
        : 'JetStream is not enabled on the NATS server';
    return new ShoalError('ERR_BUS_UNAVAILABLE', why, { cause: error, details: { jetstream: false } });
  }
  if (code !== undefined) {
    const { message } = caused(error, JetStreamApiError) ?? {};
    return new ShoalError('ERR_BUS_UNAVAILABLE', `JetStream refused: ${message}`, {
      cause: error,
      details: { jsCode: code },
    });
  }
  const refused = caused(error, InvalidArgumentError);
  if (refused?.message.includes('max_payload')) {
    return new ShoalError('ERR_BUS_MESSAGE_TOO_LARGE', "the message is beyond the server's max_payload", {
      cause: error,
    });
  }
  return unavailable(error);
}

/** The first of an error and its causes that is of the class. */
function caused<E extends Error>(error: unknown, kind: abstract new (...given: never[]) => E): E | undefined {
  for (let each = error; each instanceof Error; each = each.cause) if (each instanceof kind) return each;
  return undefined;
}
