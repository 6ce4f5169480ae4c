/** The sum of float32 numbers in numpy's order and precision: eight running sums over up to 128 numbers, halves above that. */
export function pairwiseSum(values: Float32Array, from = 0, count = values.length): number {
  const f32 = Math.fround;
  if (count < 8) {
    let sum = 0;
    for (let i = 0; i < count; i++) sum = f32(sum + values[from + i]!);
    return sum;
  }
  if (count > 128) {
    const half = (count >> 1) - ((count >> 1) % 8);
    return f32(pairwiseSum(values, from, half) + pairwiseSum(values, from + half, count - half));
  }
  const sums = values.slice(from, from + 8);
  let i = 8;
  for (; i + 8 <= count; i += 8) for (let j = 0; j < 8; j++) sums[j] = sums[j]! + values[from + i + j]!;
  const [a, b, c, d, e, f, g, h] = sums as unknown as [number, number, number, number, number, number, number, number];
  let sum = f32(f32(f32(a + b) + f32(c + d)) + f32(f32(e + f) + f32(g + h)));
  for (; i < count; i++) sum = f32(sum + values[from + i]!);
  return sum;
}
