import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Logger } from '../core/logger.ts';
import { taskId } from '../core/message-fields.ts';
import { storeError } from './fs-errors.ts';
import { type Keep, Keeps } from './keeps.ts';
import { makeDir, replaceFile } from './private-files.ts';

const keepSchema = z.object({ untilMs: z.number(), taskIds: z.array(taskId) });
const NAME = /^[0-9a-f]{32}$/;
const ENDING = '.json';

/** What is kept, a file for each name. @throws the file system's error */
export function openKeeps(dir: string, logger: Logger): Keeps {
  makeDir(dir, 0o750);
  return new Keeps(found(dir, logger), {
    save({ name, untilMs, taskIds }) {
      try {
        replaceFile(pathOf(dir, name), JSON.stringify({ untilMs, taskIds }), 0o640);
      } catch (error) {
        throw storeError(error, 'noting what is kept');
      }
    },
    erase: (name) => rmSync(pathOf(dir, name), { force: true }),
  });
}

function pathOf(dir: string, name: string): string {
  return join(dir, `${name}${ENDING}`);
}

function found(dir: string, logger: Logger): Keep[] {
  return readdirSync(dir).flatMap((file) => {
    const name = file.slice(0, -ENDING.length);
    if (!file.endsWith(ENDING) || !NAME.test(name)) return [];
    try {
      return [{ name, ...keepSchema.parse(JSON.parse(readFileSync(join(dir, file), 'utf8'))) }];
    } catch (error) {
      logger.warn({ err: error, file }, 'what is kept cannot be read: it is kept no more');
      return [];
    }
  });
}
