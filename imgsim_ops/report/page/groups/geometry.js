// Points, boxes and affine transforms: by (a, b, c, d, e, f), as the evidence has them, (x, y) lies at
// (a x + b y + c, d x + e y + f).

export const SAME = [1, 0, 0, 0, 1, 0];

export const apply = ([a, b, c, d, e, f], [x, y]) => [a * x + b * y + c, d * x + e * y + f];

export function inverse([a, b, c, d, e, f]) {
  const area = a * e - b * d;
  if (!(Math.abs(area) > 1e-12)) return null;
  return [e / area, -b / area, (b * f - c * e) / area, -d / area, a / area, (c * d - a * f) / area];
}

// The corners of [x, y, width, height].
export const rectangle = ([x, y, w, h]) => [[x, y], [x + w, y], [x + w, y + h], [x, y + h]];

export const corners = ({ width, height }) => rectangle([0, 0, width, height]);

export function bounds(...lists) {
  const all = lists.flat();
  const xs = all.map(([x]) => x), ys = all.map(([, y]) => y);
  const x = Math.min(...xs), y = Math.min(...ys);
  return { x, y, width: Math.max(...xs) - x, height: Math.max(...ys) - y };
}

// What the orientation alone says: the whole of the one on the whole of the other.
function stretched({ width: w, height: h }, other, orientation) {
  const turn = {
    1: SAME, 2: [-1, 0, w, 0, 1, 0], 3: [-1, 0, w, 0, -1, h], 4: [1, 0, 0, 0, -1, h],
    5: [0, 1, 0, 1, 0, 0], 6: [0, -1, h, 1, 0, 0], 7: [0, -1, h, -1, 0, w], 8: [0, 1, 0, -1, 0, w],
  }[orientation] ?? SAME;
  const [turnedWidth, turnedHeight] = orientation > 4 ? [h, w] : [w, h];
  const x = other.width / turnedWidth, y = other.height / turnedHeight;
  return [turn[0] * x, turn[1] * x, turn[2] * x, turn[3] * y, turn[4] * y, turn[5] * y];
}

export function aligned(one, other) {
  const found = one.evidence?.transform;
  if (found && found.every(Number.isFinite) && inverse(found)) return found;
  return stretched(one, other, one.evidence?.orientation ?? 1);
}
