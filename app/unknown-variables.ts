import { nearest } from './nearest.ts';
import { SETTINGS, type SettingName, settingVariable } from './settings.ts';

/** Kubernetes sets these for each service of the namespace, one named shoal or shoal-… too. */
const OF_A_SERVICE = /^SHOAL_(?:.+_)?(?:SERVICE_(?:HOST|PORT)|PORT)(?:_|$)/;
/** Read elsewhere than by the settings, or by tests of Shoal alone. */
const OTHERS = /^SHOAL_(?:CONFIG$|TEST_|GROUP_)/;

/** What is to be said of variables that look like settings and are none. */
export function unknownVariables(env: Readonly<Record<string, string | undefined>>): string[] {
  const known = (Object.keys(SETTINGS) as SettingName[]).map(settingVariable);
  return Object.keys(env)
    .filter((name) => name.startsWith('SHOAL_') && !known.includes(name))
    .filter((name) => !OF_A_SERVICE.test(name) && !OTHERS.test(name))
    .map((name) => {
      const meant = nearest(name, known);
      return `${name} is no setting, and nothing reads it${meant === undefined ? '' : `; is it ${meant}?`}`;
    });
}
