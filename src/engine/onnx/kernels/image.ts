import type { Value } from "../values.js";
import { constant, emit, hostValue, reshape } from "../values.js";
import { binary, cast, type Kernels } from "./kernel.js";
import { matMul } from "./matmul.js";
import { reverse } from "./shape.js";

interface Resize {
  size: [number, number];
  alignCorners: boolean;
  halfPixelCenters: boolean;
}
interface Images {
  images: Value;
}
interface Gradient extends Images {
  dy: Value;
}

/** Images `[batch, height, width, channels]`. Resizing looks up rows and columns, whose places are known beforehand. */
export const imageKernels: Kernels = {
  ResizeBilinear: ({ images }: Images, { size, ...centers }: Resize) => {
    const columns = interpolated(cast(images, "float32"), 2, betweenTwo(images.shape[2]!, size[1], centers));
    return interpolated(columns, 1, betweenTwo(images.shape[1]!, size[0], centers));
  },
  ResizeBilinearGrad: ({ images, dy }: Gradient, attributes: Resize) =>
    resizeGradient(images, dy, betweenTwo, attributes),
  ResizeNearestNeighbor: ({ images }: Images, { size, ...centers }: Resize) => {
    const columns = lines(images, 2, nearest(images.shape[2]!, size[1], centers).low);
    return lines(columns, 1, nearest(images.shape[1]!, size[0], centers).low);
  },
  ResizeNearestNeighborGrad: ({ images, dy }: Gradient, attributes: Resize) =>
    resizeGradient(images, dy, nearest, attributes),
  FlipLeftRight: ({ image }: { image: Value }) => reverse(image, [2]),
};

type Centers = Omit<Resize, "size">;

/** For each line of the result two lines of the image, and how much there is of the second. */
interface Places {
  low: number[];
  high: number[];
  share: number[];
}

function betweenTwo(before: number, after: number, centers: Centers): Places {
  const places: Places = { low: [], high: [], share: [] };
  const { halfPixelCenters } = centers;
  const ratio = scale(before, after, centers);
  for (let i = 0; i < after; i++) {
    const at = halfPixelCenters ? ratio * (i + 0.5) - 0.5 : ratio * i;
    const low = Math.max(0, Math.floor(at));
    places.low.push(low);
    places.high.push(Math.min(before - 1, Math.ceil(at)));
    places.share.push(at - low);
  }
  return places;
}

/** As TensorFlow.js has it, aligned corners are rounded and centers of pixels are not. */
function nearest(before: number, after: number, centers: Centers): Places {
  const { alignCorners, halfPixelCenters } = centers;
  const ratio = scale(before, after, centers);
  const low = Array.from({ length: after }, (_, i) => {
    const at = ratio * (halfPixelCenters ? i + 0.5 : i);
    return Math.min(before - 1, alignCorners ? Math.round(at) : Math.floor(at));
  });
  return { low, high: low, share: low.map(() => 0) };
}

function scale(before: number, after: number, { alignCorners }: Centers): number {
  return alignCorners && after > 1 ? (before - 1) / (after - 1) : before / after;
}

function lines(x: Value, axis: number, at: number[]): Value {
  const shape = x.shape.map((size, i) => (i === axis ? at.length : size));
  return emit("Gather", [x, constant(at, [at.length], "int64")], shape, x.type, { axis });
}

function interpolated(x: Value, axis: number, { low, high, share }: Places): Value {
  const first = lines(x, axis, low);
  const rest = x.shape.slice(axis + 1).map(() => 1);
  const weight = constant(share, [share.length, ...rest], "float32");
  return binary("Add", first, binary("Mul", binary("Sub", lines(x, axis, high), first), weight));
}

/** Resizing is a matrix product along each axis; so is its gradient, with the matrices transposed. */
function resizeGradient(
  images: Value,
  dy: Value,
  placesOf: (before: number, after: number, centers: Centers) => Places,
  attributes: Centers,
): Value {
  const [batch, height, width, channels] = images.shape as [number, number, number, number];
  const [, tall, wide] = dy.shape as [number, number, number, number];
  const rows = spreading(height, placesOf(height, tall, attributes));
  const columns = spreading(width, placesOf(width, wide, attributes));
  const alongHeight = matMul(rows, reshape(cast(dy, "float32"), [batch, tall, wide * channels]), false, false);
  const alongWidth = matMul(columns, reshape(alongHeight, [batch * height, wide, channels]), false, false);
  return cast(reshape(alongWidth, images.shape), images.type);
}

/** `[lines of the image, lines of the result]`: how much of each line of the result comes from each of the image. */
function spreading(before: number, { low, high, share }: Places): Value {
  const after = low.length;
  const matrix = new Float32Array(before * after);
  for (let i = 0; i < after; i++) {
    matrix[low[i]! * after + i]! += 1 - share[i]!;
    matrix[high[i]! * after + i]! += share[i]!;
  }
  return hostValue([before, after], "float32", matrix);
}
