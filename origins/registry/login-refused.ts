import { ShoalError } from '../../core/errors.ts';
import type { RegistryAnswer } from './registry.ts';
import type { TokenRefusal } from './token-server.ts';

/** A token server refused a client's own login, in its own words. */
export class LoginRefused extends ShoalError {
  /** As the registry would have said it, for the one who asked the registry. */
  readonly answer: RegistryAnswer;

  constructor({ status, headers, body }: TokenRefusal) {
    const told = status === 403 ? 403 : 401;
    super('ERR_SOURCE_REFUSED', `the registry's token server answers ${status}`, {
      details: { status: told },
    });
    this.answer = { status: told, headers, body, as: 'client' };
  }
}
