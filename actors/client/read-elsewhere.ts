import { ShoalError } from '../../core/errors.ts';

/** The content was read elsewhere than the client names: only what is read there can be given to it. */
export class ReadElsewhere extends ShoalError {
  constructor() {
    super('ERR_SOURCE_REFUSED', 'this content was read elsewhere than the client names');
  }
}
