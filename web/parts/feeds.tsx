import type { TaskHost } from '../rows.ts';
import { shortId } from '../words.ts';

const SIZE = 360;
const RADIUS = 140;
const MOST_DRAWN = 60;

/** Who feeds whom: hosts on a circle, the origin in its middle, a line for each parent that a host takes pieces from now. */
export function Feeds({ hosts }: { readonly hosts: readonly TaskHost[] }) {
  const drawn = hosts.slice(0, MOST_DRAWN);
  const places = new Map(
    drawn.map(({ hostId }, at) => {
      const angle = (2 * Math.PI * at) / drawn.length - Math.PI / 2;
      return [hostId, { x: SIZE / 2 + RADIUS * Math.cos(angle), y: SIZE / 2 + RADIUS * Math.sin(angle) }];
    }),
  );
  places.set('origin', { x: SIZE / 2, y: SIZE / 2 });
  const lines = drawn.flatMap(({ hostId, from = [] }) => from.map((parent) => ({ child: hostId, parent })));
  return (
    <svg
      class="feeds"
      role="img"
      aria-label={`${lines.length} transfers between ${drawn.length} hosts and the origin`}
      viewBox={`0 0 ${SIZE} ${SIZE}`}
    >
      {lines.map(({ child, parent }) => {
        const start = places.get(parent);
        const end = places.get(child);
        if (start === undefined || end === undefined) return null;
        const kind = parent === 'origin' ? 'from-origin' : 'from-host';
        return (
          <line key={`${parent} ${child}`} class={kind} x1={start.x} y1={start.y} x2={end.x} y2={end.y} />
        );
      })}
      <circle class="origin" cx={SIZE / 2} cy={SIZE / 2} r="9" />
      <text x={SIZE / 2} y={SIZE / 2 + 24} text-anchor="middle">
        origin
      </text>
      {drawn.map(({ hostId, state }) => {
        const { x = 0, y = 0 } = places.get(hostId) ?? {};
        return (
          <g key={hostId}>
            <circle class={state} cx={x} cy={y} r="7" />
            {drawn.length <= 24 && (
              <text x={x} y={y + (y < SIZE / 2 ? -12 : 20)} text-anchor="middle">
                {shortId(hostId).slice(0, 6)}
              </text>
            )}
          </g>
        );
      })}
    </svg>
  );
}
