import { InvalidArgumentError } from "commander";

/** An option's value as a whole number above 0. */
export function positiveInteger(value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1) throw new InvalidArgumentError("a whole number above 0");
  return number;
}
