/** What all hosts of a simulation count together. */
export class Tally {
  /** Pieces that came and were right, and when the last one did, ms. */
  pieces = 0;
  movedMs = 0;
  bytes = 0;
  /** Bytes that came for a piece that came twice, before the last part of a host's content and in it. */
  wastedBytes = 0;
  wastedTailBytes = 0;
  /** Pieces that were wrong. */
  corrupt = 0;
  /** Messages, and what those looked at weighed. */
  syncs = 0;
  unanswered = 0;
  pushes = 0;
  messageBytes = 0;
  /** CPU time of the scheduler's answers to syncs, µs. */
  answerUs = 0;
  /** Transfers that failed. */
  failed = 0;
}
