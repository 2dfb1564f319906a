/** What a host holds, part by part in the order of the content: darker is more. */
export function Cells({ cells, share, label }: { cells?: string | undefined; share: number; label: string }) {
  const parts = cells ?? '9'.repeat(Math.round(share * 32)).padEnd(32, '0');
  return (
    <svg
      class="cells"
      role="img"
      aria-label={`${label}: ${Math.round(share * 100)} percent`}
      viewBox={`0 0 ${parts.length} 1`}
      preserveAspectRatio="none"
    >
      {[...parts].map((digit, at) => (
        <rect key={at} x={at} width="1" height="1" fill-opacity={Number(digit) / 9} />
      ))}
    </svg>
  );
}
