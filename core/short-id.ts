/** Digits of an id that people are shown; any beginning that is one id's alone is taken back. */
const SHOWN = 12;
const AT_SHOWN = 4;

/** An id as people are shown it: 12 digits, of a task without the algorithm; the whole stands in JSON. */
export function shownId(id: string): string {
  const { digits, at } = partsOf(id);
  const kept = digits.slice(0, SHOWN);
  return at === '' ? kept : `${kept}-at-${at.slice(0, AT_SHOWN)}`;
}

/** Whether a text begins an id, with the algorithm or without. */
export function isBeginning(text: string, id: string): boolean {
  if (id.startsWith(text)) return true;
  const wanted = partsOf(text);
  const { digits, at } = partsOf(id);
  return wanted.digits !== '' && digits.startsWith(wanted.digits) && at.startsWith(wanted.at);
}

/** `sha256-AB…-at-CD…`: AB… and CD…. */
function partsOf(id: string): { readonly digits: string; readonly at: string } {
  const [digits = '', at = ''] = id.replace(/^(?:sha256|sha512|url)[-:]/, '').split('-at-');
  return { digits, at };
}
