import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';

/** Bytes a second by source, second by second: wall-clock seconds, then a row for each source. */
export type TrafficRows = readonly [readonly number[], readonly number[], readonly number[]];

const HEIGHT = 180;

/** A colour of the style sheet as a canvas takes it: resolved for light or dark. */
function colour(name: string): string {
  const probe = document.createElement('i');
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

function axis(): uPlot.Axis {
  return { stroke: () => colour('--quiet'), grid: { stroke: () => colour('--line') } };
}

/** Traffic over time: what came from origins, and what hosts gave each other. */
export function Traffic({ rows }: { readonly rows: TrafficRows }) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const made = new uPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        cursor: { show: false },
        series: [
          {},
          { label: 'from hosts', stroke: () => colour('--good'), width: 2 },
          { label: 'from origins', stroke: () => colour('--warn'), width: 2 },
        ],
        axes: [
          axis(),
          {
            ...axis(),
            size: 80,
            values: (_, ticks) => ticks.map((tick) => `${(tick / 1_048_576).toFixed(1)} MiB/s`),
          },
        ],
        scales: { y: { range: (_, __, most) => [0, Math.max(1_048_576, most * 1.1)] } },
      },
      [[], [], []],
      element,
    );
    plot.current = made;
    const sized = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    sized.observe(element);
    return () => {
      sized.disconnect();
      made.destroy();
    };
  }, []);
  useEffect(() => plot.current?.setData(rows.map((row) => [...row]) as uPlot.AlignedData), [rows]);
  const latest = rows[1].length - 1;
  return (
    <figure>
      <div class="plot" ref={box} aria-hidden="true" />
      <figcaption>
        Traffic that downloads ended with, by the second; the last:{' '}
        {Math.round((rows[1][latest] ?? 0) / 1_048_576)} MiB from hosts,{' '}
        {Math.round((rows[2][latest] ?? 0) / 1_048_576)} MiB from origins.
      </figcaption>
    </figure>
  );
}
